"""The scenarios: what the model says (data) and what the user does (a function), each with a one-line description.

To add one, write a function that takes a `Client` and put `@scenario` on it: in `events` if it is about what is
recorded, in `identity` if it is about which session answers, in `calls` if it is about how calls end, in `archives` if it
is about what is kept, in `attention` if it is about what a session waits for. `table` has the functions to write it with.
"""
from scenarios import archives, attention, calls, events, identity  # they register their scenarios
from scenarios.table import SCENARIOS, Scenario

__all__ = ["SCENARIOS", "Scenario", "archives", "attention", "calls", "events", "identity"]
