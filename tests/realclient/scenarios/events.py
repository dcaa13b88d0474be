"""Scenarios of what is recorded: every event that the client fires, in the usual order and in unusual ones."""
from client import Client
from scenarios.table import (
    COMPACTION, SESSION, TOOLS, agent, bash, edit, probe, read, scenario, tool, turn, write)

# Detailed output of `claude -p`, compared between the run with and the run without our hooks.
STREAM = ("--output-format", "stream-json", "--verbose")
FIXED_ID = "11111111-1111-4111-8111-111111111111"

ONE = [turn("One tool.", probe("one")), turn("Done.")]


@scenario(
    "tools in sequence, one of them failing",
    provokes=SESSION | TOOLS | {"PostToolUseFailure"},
    witnessed=True,
    conversations={"a": [
        turn("I will look around.", probe("first", "ls; pwd")),
        turn("", read("notes.txt")),
        turn("", bash("echo to-out; echo to-err >&2; exit 3")),
        turn("", write("new.txt", "hello\n")),
        turn("All done."),
    ]})
def a(client: Client) -> None:
    client.ask("a1", "RUN:a please go", *STREAM)


@scenario(
    "parallel calls in one message, some of them failing",
    provokes=SESSION | TOOLS | {"PostToolUseFailure"},
    conversations={"b": [
        turn("Several at once.", probe("slow", "sleep 1"), probe("failing", "exit 4"), read("notes.txt"), bash("ls"),
             read("missing.txt"), write("w.txt", "w\n")),
        turn("Readers only.", bash("ls sub"), bash("cat notes.txt"), read("README.md"), read("sub/deep/f.txt")),
        turn("Done."),
    ]})
def b(client: Client) -> None:
    client.ask("b1", "RUN:b please go", *STREAM)


@scenario(
    "subagents: in the foreground, nested, two in parallel, in the background",
    provokes=SESSION | TOOLS | {"PostToolUseFailure", "SubagentStart", "SubagentStop"},
    witnessed=True,
    conversations={
        "c": [
            turn("Delegating.", agent("first")),
            turn("Two at once.", agent("left"), agent("right", "Explore")),
            turn("Now in the background.", agent("behind", background=True)),
            turn("", probe("main")),
            turn("Main is done."),
            turn("Main saw the notification."),
        ],
        "first": [
            turn("First works.", probe("first")),
            turn("", bash("exit 9")),
            turn("", agent("nested")),
            turn("First report."),
        ],
        "nested": [turn("", probe("nested")), turn("Nested report.")],
        "left": [turn("", probe("left", "sleep 1")), turn("Left report.")],
        "right": [turn("", probe("right", "sleep 1")), turn("Right report.")],
        "behind": [turn("", probe("behind", "sleep 2")), turn("Behind report.")],
    })
def c(client: Client) -> None:
    client.ask("c1", "RUN:c please go", *STREAM)


@scenario(
    "interactive: cd, /clear, /compact, Esc, ! shell mode, /model, /exit",
    provokes=SESSION | TOOLS | COMPACTION | {"CwdChanged", "PostModelSwitch"},
    needs_terminal=True,
    conversations={
        "one": ONE,
        "cd": [
            turn("", bash("cd sub && pwd")),
            turn("", probe("below", "pwd")),
            turn("", bash("cd @PROJECT@")),
            turn("Moved."),
        ],
        "long": [turn("", probe("long", "touch @RUN@/long-started; sleep 60")), turn("The long one.")],
    })
def n(client: Client) -> None:
    with client.terminal("n") as terminal:
        terminal.submit("RUN:one hello", until="Stop")
        terminal.submit("RUN:cd", until="Stop")
        terminal.submit("/clear", until="SessionStart", source="clear")
        terminal.submit("RUN:one again", until="Stop")
        terminal.submit("/compact", until="PostCompact")

        terminal.send("RUN:long go")
        terminal.wait_file(client.layout.root / "long-started")
        terminal.keys("Escape")
        terminal.wait_screen("Interrupted")
        terminal.settle()

        # Shell mode runs no tool hooks; the model then answers the output, without a prompt of the user.
        terminal.type("!")
        terminal.submit(client.layout.probe_command("bang"), until="Stop")

        mark = terminal.fired_count()
        terminal.submit("/model haiku", until="PreModelSwitch")
        terminal.wait_screen("Switch model")
        terminal.keys("Enter")
        terminal.wait_event("PostModelSwitch", mark)

        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()


@scenario(
    "a session resumed by further clients, and compacted by one of them",
    provokes=SESSION | TOOLS | COMPACTION,
    witnessed=True,
    conversations={"one": ONE})
def q(client: Client) -> None:
    client.ask("q1", "RUN:one", "--session-id", FIXED_ID)
    client.ask("q2", "RUN:one", "--resume", FIXED_ID)
    client.ask("q3", "/compact keep it short", "--resume", FIXED_ID, *STREAM)
    client.ask("q4", "RUN:one after", "--resume", FIXED_ID)


@scenario(
    "calls that never run: bad Edit, unknown tool, wrong input, a forbidden sleep; an API error",
    provokes=SESSION | TOOLS,
    # The client exits at once after an API error, and may end a running hook with it.
    uncertain={"StopFailure": 1},
    conversations={
        "edit": [
            turn("", read("notes.txt")),
            turn("", edit("notes.txt", "alpha", "ALPHA")),
            turn("", edit("notes.txt", "not there", "x")),
            turn("", tool("NoSuchTool", a=1)),
            turn("", tool("Bash", cmd="wrong key")),
            turn("", probe("after")),
            turn("Edited."),
        ],
        "sleep": [turn("", bash("sleep 30", timeout=1500)), turn("Not slept.")],
        "error": [{"error": {"status": 400, "type": "invalid_request_error", "message": "scripted 400"}}],
    })
def s(client: Client) -> None:
    client.ask("s1", "RUN:edit", *STREAM)
    client.ask("s2", "RUN:sleep", *STREAM)
    client.ask("s3", "RUN:error")
