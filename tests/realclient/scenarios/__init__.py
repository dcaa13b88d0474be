"""The scenarios: what the model says (data) and what the user does (a function), each with a one-line description.

To add one, write a function that takes a `Client` and put `@scenario` on it: in `events` where it is about what is
recorded, in `identity` where it is about which session answers, in `calls` where it is about how calls end, in
`archives` where it is about what is kept, in `attention` where it is about whom a session waits for. `table` has the words they are written in.
"""
from scenarios import archives, attention, calls, events, identity  # they register their scenarios
from scenarios.table import SCENARIOS, Scenario

__all__ = ["SCENARIOS", "Scenario", "archives", "attention", "calls", "events", "identity"]
