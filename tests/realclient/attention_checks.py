"""Checks what `ccsession list` said about what a session waits for against what was on the screen."""
import re
from collections.abc import Iterator

from layout import Layout, read_lines
from scenarios import Scenario

# For how many seconds the two may differ: they are never read at the same moment.
LAG = 1.5
DIALOG = re.compile(r"❯ 1\. |Enter to select|requests your input")
BUSY = re.compile(r"esc to interrupt|\(\d+s\b")


def on_screen(screen: str) -> str:
    """Returns what the client shows: `dialog`, `busy` or `prompt`."""
    if DIALOG.search(screen):
        return "dialog"
    return "busy" if BUSY.search(screen) else "prompt"


def agrees(screen: str, state: str) -> bool:
    match on_screen(screen):
        case "dialog":
            return state in ("permission", "question", "plan")
        case "busy":
            return state not in ("permission", "question", "plan")
        case _:
            return state in ("prompt", "error")


def all_of(_: Scenario, layout: Layout) -> Iterator[Iterator[str]]:
    yield never_differs_for_long(layout)


def never_differs_for_long(layout: Layout) -> Iterator[str]:
    """Checks that `list` never differs from the screen for longer than `LAG` while the screen shows the same."""
    since = None
    for look in read_lines(layout.attention_log):
        shown = on_screen(look["screen"])
        if agrees(look["screen"], look["state"]):
            since = None
        elif since is None or since[1] != shown:
            since = (look["at"], shown)
        elif look["at"] - since[0] > LAG:
            yield f"`list` says {look['state']} while the screen shows {shown}, at {look['at']:.1f} s ({layout.attention_log})"
            since = None
