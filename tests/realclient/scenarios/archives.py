"""Scenarios of archives: however a session ends, it is archived whole, without anyone asking.

`kept` says what each archive must say, by a probe of the session. `client.archives` asks from a shell beside the sessions
whose end is archived, and so shows what archived it.
"""
from client import Client
from scenarios.calls import TOKEN
from scenarios.table import (
    SESSION, TOOLS, Kept, agent, bash, clock_in, edit, hold, probe, read, scenario, turn, write)

RESTORED_ID = "55555555-5555-4555-8555-555555555555"
GOLDEN_ID = "66666666-6666-4666-8666-666666666666"
DONE = turn("Done.")

# The line of a text for the command with which a session begins.
CLEAR = "user /clear"


def thought(label: str) -> dict[str, list[dict]]:
    return {label: [turn("One tool.", probe(label), thinking=f"The {label} one wants a tool."), DONE]}


def heard(label: str, *before: str) -> tuple[str, ...]:
    return (*before, f"user RUN:{label}", "assistant One tool.", "assistant Done.")


@scenario(
    "a session whose transcript is deleted, and restored from its archive, so that the client resumes it",
    provokes=SESSION | TOOLS | {"SubagentStart", "SubagentStop"},
    compared=False,
    sessions=("said again",),
    calls={"Bash ok": 3, "Agent ok": 1},
    conversations={
        "said": [turn("Remember this.", probe("said"), agent("aside")), DONE],
        "aside": [turn("", bash("ls")), turn("Aside report.")],
        "again": [turn("", probe("again")), DONE],
    })
def archived(client: Client) -> None:
    client.ask("archived1", "RUN:said", "--session-id", RESTORED_ID)
    client.lose_and_restore(RESTORED_ID)
    client.ask("archived2", "RUN:again", "--resume", RESTORED_ID)


@scenario(
    "interactive: ended by itself, kill -9, /clear, /exit, a closed terminal; the next start archives each, a cleanup "
    "the last",
    provokes=SESSION | TOOLS,
    compared=False,
    needs_terminal=True,
    sessions=("printed", "killed", "first", "cleared", "closed"),
    kept={
        "printed": Kept("other", heard("printed")),
        "killed": Kept("abandoned", ("user RUN:killed", "assistant One tool.")),
        "first": Kept("clear", heard("first")),
        "cleared": Kept("prompt_input_exit", heard("cleared", CLEAR)),
        "closed": Kept("other", heard("closed")),
    },
    conversations={
        **thought("printed"),
        "killed": [turn("One tool.", probe("killed", hold("killed"))), turn("Never said.")],
        **thought("first"),
        **thought("cleared"),
        **thought("closed"),
    })
def ends(client: Client) -> None:
    client.ask("ends1", "RUN:printed")
    client.archives("-p has ended", ended=[], going=["printed"])
    killed = client.begin("ends2", "RUN:killed")
    client.wait_held("killed")
    client.archives("the next has started", ended=["printed"], going=["killed"], wait=True)
    client.wait_written("killed", "One tool.")
    killed.kill()
    client.archives("killed", ended=["printed"], going=["killed"])
    with client.terminal("ends3") as terminal:
        terminal.submit("RUN:first", until="Stop")
        client.archives("a terminal after it", ended=["printed", "killed"], going=["first"], wait=True)
        client.let_go("killed")
        terminal.submit("/clear", until="SessionStart", source="clear")
        client.archives("/clear", ended=["first"], wait=True)
        terminal.submit("RUN:cleared", until="Stop")
        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()
    client.archives("/exit", ended=["first"], going=["cleared"])
    with client.terminal("ends4") as terminal:
        terminal.submit("RUN:closed", until="Stop")
        client.archives("a terminal after it", ended=["cleared"], going=["closed"], wait=True)
        terminal.close()
    client.archives("closed", ended=["cleared"], going=["closed"])
    client.cleanup()
    client.archives("cleanup", ended=["printed", "killed", "first", "cleared", "closed"])


@scenario(
    "ended by itself and by kill -9, and no start since: one cleanup archives both",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("printed", "killed"),
    kept={
        "printed": Kept("other", heard("printed")),
        "killed": Kept("abandoned", ("user RUN:killed", "assistant One tool.")),
    },
    conversations={
        "printed": [turn("One tool.", probe("printed", hold("printed"), pointer="printed,killed")), DONE],
        "killed": [turn("One tool.", probe("killed", hold("killed"), pointer="printed,killed")), turn("Never said.")],
    })
def swept(client: Client) -> None:
    killed = client.begin("swept1", "RUN:killed")
    client.wait_held("killed")
    printed = client.begin("swept2", "RUN:printed")
    client.wait_held("printed")
    client.wait_written("killed", "One tool.")
    killed.kill()
    client.let_go("killed")
    client.let_go("printed")
    printed.end()
    client.archives("ended", ended=[], going=["printed", "killed"])
    client.cleanup()
    client.archives("cleanup", ended=["printed", "killed"])


@scenario(
    "the text of an archive, compared with a golden one, without and with tool calls",
    provokes=SESSION | TOOLS | {"PostToolUseFailure", "SubagentStart", "SubagentStop"},
    compared=False,
    sessions=("said again",),
    secrets=(TOKEN,),
    golden={"plain": "realclient.txt", "tools": "realclient.tools.txt"},
    conversations={
        "said": [
            turn("I will look around.", probe("said"), thinking=f"First a look around, then {TOKEN}."),
            turn("", read("notes.txt")),
            turn("This one fails:\n\n    exit 3", bash("echo to-out; echo to-err >&2; exit 3")),
            turn("", write("new.txt", "héllo\n")),
            turn("", edit("notes.txt", "alpha", "ALPHA"), thinking="Now the notes."),
            turn("Somebody else reads on.", agent("aside")),
            turn("| what | how |\n|---|---|\n| notes | *changed* |\n\nAll done — ✓"),
        ],
        "aside": [turn("The aside is not in the text.", bash("cat README.md")), turn("Aside report.")],
        "again": [turn("", probe("again", "seq -s ' ' 700")), turn("Counted.")],
    })
def golden(client: Client) -> None:
    client.ask("golden1", f"RUN:said please\n\n  with two lines, [user] in one, and {TOKEN}", "--session-id", GOLDEN_ID)
    client.ask("golden2", "RUN:again", "--resume", GOLDEN_ID)
    client.cleanup()
    client.text("plain", "said")
    client.text("tools", "said", "--tools", "--description", "A look\naround")


@scenario(
    "clocked in before the client starts, from within a session, and by `ccsession run`; clocked out after the end",
    provokes=SESSION | TOOLS | {"SubagentStart", "SubagentStop"},
    compared=False,
    launched=True,
    sessions=("clocked", "late", "ran"),
    kept={
        "clocked": Kept("other", heard("clocked"), "backend", "issue-12", ("Before it began", "Half of it is done")),
        "late": Kept("other", ("user RUN:late", "assistant One tool.", "assistant Done."), "reviewer", "the parser",
                     ("Read it all", "From the aside")),
        "ran": Kept("exit:0", heard("ran"), "tester", "issue-14", ("From under run",)),
    },
    conversations={
        "clocked": [turn("One tool.", probe("clocked"), thinking="Clocked in, clocked out."),
                    turn("", clock_in("clocked", "--note", "Half of it is done")), DONE],
        "late": [
            turn("One tool.", probe("late")),
            turn("", clock_in("late", "--role", "reviewer", "--focus", "the parser", "--note", "Read it all")),
            turn("", agent("aside")),
            DONE,
        ],
        "aside": [turn("", clock_in("late", "--note", "From the aside")), turn("Aside report.")],
        "ran": [turn("One tool.", probe("ran")), turn("", clock_in("ran", "--note", "From under run")), DONE],
    })
def clocked(client: Client) -> None:
    given = client.clock_in("clocked", "--role", "backend", "--focus", "issue-12", "--note", "Before it began")
    # Another session that starts and ends meanwhile must not change it.
    client.ask("clocked1", "RUN:late")
    client.ask("clocked2", "RUN:clocked", "--session-id", given)
    client.ask("clocked3", "RUN:ran", run=("--role", "tester", "--focus", "issue-14"))
    for label in ("late", "clocked", "ran"):
        client.text(label, of=label)
