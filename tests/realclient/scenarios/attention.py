"""Scenarios about what a session waits for. Each step names what `ccsession list` must say about the only live session, and
a watcher records that and the screen all the time."""
import json
import sys

from client import Client
from layout import PROGRAMS
from scenarios.table import SESSION, TOOLS, agent, bash, hold, probe, scenario, tool, turn

DONE = turn("Done.")


def fetch() -> dict:
    """Returns a call that nothing allows in advance."""
    return tool("WebFetch", url="http://127.0.0.1:1/", prompt="what it says")


def question() -> dict:
    options = [{"label": label, "description": label} for label in ("Red", "Blue")]
    asked = {"question": "Which colour?", "header": "Colour", "options": options, "multiSelect": False}
    return tool("AskUserQuestion", questions=[asked])


@scenario(
    "interactive: permission answered Yes, No and by Esc; a question; a failed turn; a background command; a subagent that "
    "asks; /clear",
    provokes=SESSION | TOOLS | {"PermissionRequest", "StopFailure"},
    compared=False,
    needs_terminal=True,
    conversations={
        "work": [turn("", probe("work", hold("work"))), DONE],
        "yes": [turn("", fetch()), DONE],
        "no": [turn("", fetch()), DONE],
        "esc": [turn("", fetch()), DONE],
        "question": [turn("", question()), DONE],
        "fail": [{"error": {"status": 529, "type": "overloaded_error", "message": "overloaded"}}],
        "behind": [turn("", bash(hold("behind"), run_in_background=True)), DONE],
        "deep": [turn("", agent("below")), turn("Main is done.")],
        "below": [turn("", fetch()), DONE],
    })
def needs(client: Client) -> None:
    with client.terminal("needs") as terminal, terminal.watched():
        terminal.needs("prompt")
        terminal.send("RUN:work")
        client.wait_held("work")
        terminal.needs("none")
        client.let_go("work")
        terminal.needs("prompt")

        for answer, keys in (("yes", "Enter"), ("no", "3"), ("esc", "Escape")):
            terminal.send(f"RUN:{answer}")
            terminal.needs("permission", tool="WebFetch")
            terminal.keys(keys)
            terminal.needs("prompt")

        terminal.send("RUN:question")
        terminal.needs("question", tool="AskUserQuestion")
        terminal.keys("Enter")
        terminal.needs("prompt")
        terminal.send("RUN:fail")
        terminal.needs("error", what="server_error")
        terminal.send("RUN:behind")
        terminal.needs("prompt", background=1)
        client.let_go("behind")
        terminal.needs("prompt", background=0)
        terminal.send("RUN:deep")
        terminal.needs("permission", tool="WebFetch")
        terminal.keys("Escape")
        # The subagent is refused, goes on, and reports back, which makes a turn.
        terminal.needs("prompt", background=0)
        terminal.submit("/clear", until="SessionStart", source="clear")
        terminal.needs("prompt")
        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()


@scenario(
    "interactive: a plan that is approved, and one that is not; /rename",
    provokes=SESSION | TOOLS | {"PermissionRequest"},
    compared=False,
    needs_terminal=True,
    conversations={
        "first": [turn("", tool("ExitPlanMode", plan="1. Do it.")), DONE],
        "second": [turn("", tool("ExitPlanMode", plan="1. Do it otherwise.")), turn("", probe("plan")), DONE],
    })
def plan(client: Client) -> None:
    with client.terminal("plan", "--permission-mode", "plan") as terminal, terminal.watched():
        terminal.send("RUN:first")
        terminal.needs("plan", tool="ExitPlanMode")
        terminal.titled("RUN:first", "prompt")
        terminal.keys("Escape")
        terminal.needs("prompt")
        terminal.send("/rename webhook hunt")
        terminal.titled("webhook hunt", "rename")
        terminal.send("RUN:second")
        terminal.needs("plan", tool="ExitPlanMode")
        terminal.keys("Enter")
        terminal.needs("prompt")
        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()


@scenario(
    "interactive: an MCP server asks for a form, which is filled in, and cancelled; /clear typed into a permission dialog",
    provokes=SESSION | TOOLS | {"PermissionRequest"},
    compared=False,
    needs_terminal=True,
    conversations={
        "filled": [turn("", tool("mcp__form__ask")), turn("", probe("form")), DONE],
        "declined": [turn("", tool("mcp__form__ask")), DONE],
        "fetch": [turn("", fetch()), DONE],
    })
def form(client: Client) -> None:
    server = {"command": sys.executable, "args": ["-ISB", str(PROGRAMS / "form.py")]}
    config = json.dumps({"mcpServers": {"form": server}})
    options = ("--mcp-config", config, "--allowedTools", "mcp__form__ask")
    with client.terminal("form", *options) as terminal, terminal.watched():
        terminal.needs("prompt")
        terminal.send("RUN:filled")
        terminal.needs("question", is_animated=True, tool="mcp__form__ask")
        terminal.tmux("send-keys", "-t", "it", "-l", "--", "Ada")
        terminal.wait_screen("Ada")
        # Leaves the field, goes to "Accept", and chooses it.
        terminal.keys("Enter", "Down", "Enter")
        terminal.needs("prompt")
        terminal.send("RUN:declined")
        terminal.needs("question", is_animated=True, tool="mcp__form__ask")
        terminal.keys("Escape")
        terminal.needs("prompt")
        terminal.send("RUN:fetch")
        terminal.needs("permission", tool="WebFetch")
        # The dialog takes the keys, so nothing is cleared.
        terminal.tmux("send-keys", "-t", "it", "-l", "--", "/clear")
        terminal.settle()
        terminal.needs("permission", tool="WebFetch")
        terminal.keys("Escape")
        terminal.needs("prompt")
        terminal.submit("/clear", until="SessionStart", source="clear")
        terminal.needs("prompt")
        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()
