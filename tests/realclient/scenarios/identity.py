"""Scenarios of identity: whatever happens to a session, each of its Bash calls is told its id, and nobody a wrong one.

Every probe asks twice: with the environment the client gives it, and by the process tree alone. The looks ask from a
shell beside the sessions. `sessions` and the looks themselves say what the answers must be.
"""
import shutil

from client import Client
from scenarios.table import (
    COMPACTION, SESSION, TOOLS, ask_later, bash, deep, hold, probe, probed, scenario, tool, turn)

FIRST_ID = "22222222-2222-4222-8222-222222222222"
SECOND_ID = "33333333-3333-4333-8333-333333333333"
# Leaves out the user's settings, and with them every hook.
UNHOOKED = ("--setting-sources", "project", "--allowedTools", "Bash")

DONE = turn("Done.")


def once(*labels: str) -> dict[str, list[dict]]:
    """Returns a conversation with one probe for each label."""
    return {label: [turn("One tool.", probe(label)), DONE] for label in labels}


@scenario(
    "two clients at once in one directory",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("left-1 left-2 left-3 left-4", "right-1 right-2 right-3 right-4"),
    conversations={
        "left": [
            turn("", probe("left-1")),
            turn("", probe("left-2", hold("left"))),
            turn("", probe("left-3", pointer="right-1")),
            turn("", probe("left-4", hold("left-end"), pointer="right-1")),
            DONE,
        ],
        "right": [
            turn("", probe("right-1")),
            turn("", probe("right-2", hold("right"))),
            turn("", probe("right-3")),
            turn("", probe("right-4", hold("right-end"))),
            DONE,
        ],
    })
def t(client: Client) -> None:
    left = client.begin("t1", "RUN:left")
    client.wait_held("left")
    right = client.begin("t2", "RUN:right")
    client.wait_held("right")
    client.look("both", live=["left-1", "right-1"], pointer="right-1")
    for gate in ("left", "right"):
        client.let_go(gate)
    for gate in ("left-end", "right-end"):
        client.wait_held(gate)
    client.let_go("left-end")
    left.end()
    client.look("one left", live=["right-1"])
    client.let_go("right-end")
    right.end()
    client.look("none left")


@scenario(
    "interactive: one client goes from session to session, by /clear, /resume, /branch, and through a /compact",
    provokes=SESSION | TOOLS | COMPACTION,
    compared=False,
    needs_terminal=True,
    sessions=("first other resumed", "cleared", "branched compacted"),
    conversations={
        **once("first", "cleared", "resumed", "branched", "compacted"),
        "other": [turn("", probe("other", hold("other"))), DONE],
    })
def m(client: Client) -> None:
    with client.terminal("m") as terminal:
        terminal.submit("RUN:first", until="Stop")
        terminal.submit("/clear", until="SessionStart", source="clear")
        client.look("after /clear", live=["cleared"])
        terminal.submit("RUN:cleared", until="Stop")
        # From here on, a second process also has the first session.
        first = client.session_of("first")
        other = client.begin("m2", "RUN:other", "--resume", first)
        client.wait_held("other")
        client.look("the first is back", live=["cleared", "first"], pointer="first")
        terminal.submit(f"/resume {first}", until="SessionStart", source="resume")
        client.look("after /resume", live=["first"])
        terminal.submit("RUN:resumed", until="Stop")
        terminal.submit("/branch", until="SessionStart", source="fork")
        client.look("after /branch", live=["first", "branched"], pointer="branched")
        client.let_go("other")
        other.end()
        terminal.submit("RUN:branched", until="Stop")
        terminal.submit("/compact", until="PostCompact")
        client.look("after /compact", live=["branched"])
        terminal.submit("RUN:compacted", until="Stop")
        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()
    client.look("after /exit")


@scenario(
    "interactive: a command in the background that outlives its session, but not its client",
    provokes=SESSION | TOOLS,
    compared=False,
    needs_terminal=True,
    sessions=("first behind", "second"),
    conversations={
        "first": [
            turn("", probe("first")),
            turn("", bash(f"{hold('behind')}; {probed('behind', 'second')}", run_in_background=True)),
            DONE,
        ],
        "second": [turn("", probe("second")), DONE, turn("Noticed.")],
    })
def g(client: Client) -> None:
    with client.terminal("g") as terminal:
        terminal.submit("RUN:first", until="Stop")
        client.wait_held("behind")
        terminal.submit("/clear", until="SessionStart", source="clear")
        terminal.submit("RUN:second", until="Stop")
        client.look("after /clear", live=["second"])
        # The command ends, and the client tells the second session so.
        mark = terminal.fired_count()
        client.let_go("behind")
        terminal.wait_event("Stop", mark)
        terminal.submit("/exit", until="SessionEnd")
        terminal.wait_exit()
    client.look("after /exit")


@scenario(
    "a session resumed, continued, forked and compacted by further clients",
    provokes=SESSION | TOOLS | COMPACTION,
    compared=False,
    sessions=("first resumed continued compacted", "forked", "forked-on"),
    conversations=once("first", "resumed", "continued", "forked", "forked-on", "compacted"))
def r(client: Client) -> None:
    client.ask("r1", "RUN:first", "--session-id", FIRST_ID)
    client.ask("r2", "RUN:resumed", "--resume", FIRST_ID)
    client.ask("r3", "RUN:continued", "--continue")
    client.ask("r4", "RUN:forked", "--resume", FIRST_ID, "--fork-session")
    client.ask("r5", "RUN:forked-on", "--continue", "--fork-session")
    client.ask("r6", "/compact keep it short", "--resume", FIRST_ID)
    client.ask("r7", "RUN:compacted", "--resume", FIRST_ID)
    client.look("at the end")


@scenario(
    "a session that several processes have at once: it lives as long as one of them",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("first-1 first-2 first-3 second-1 second-2 third",),
    conversations={
        "first": [
            turn("", probe("first-1")),
            turn("", probe("first-2", hold("first"))),
            turn("", probe("first-3")),
            DONE,
        ],
        "second": [turn("", probe("second-1", hold("second"))), turn("", probe("second-2")), DONE],
        **once("third"),
    })
def l(client: Client) -> None:
    first = client.begin("l1", "RUN:first", "--session-id", FIRST_ID)
    client.wait_held("first")
    second = client.begin("l2", "RUN:second", "--resume", FIRST_ID)
    client.wait_held("second")
    client.look("both", live=["first-1"])
    client.let_go("first")
    first.end()
    client.look("the first has ended", live=["first-1"])
    client.ask("l3", "RUN:third", "--resume", FIRST_ID)
    client.look("the third has ended", live=["first-1"])
    client.let_go("second")
    second.end()
    client.look("all have ended")


@scenario(
    "a client within a Bash call of another",
    provokes=SESSION | TOOLS,
    compared=False,
    nests=True,
    sessions=("outer-1 outer-2 outer-3 outer-4", "inner-1 inner-2"),
    conversations={
        "outer": [
            turn("", probe("outer-1")),
            turn("", probe("outer-2", f"@INNER@ -p 'RUN:inner hello' </dev/null; {probed('outer-3')}")),
            turn("", probe("outer-4", hold("outer"))),
            DONE,
        ],
        "inner": [
            turn("", probe("inner-1", pointer="outer-1")),
            turn("", probe("inner-2", hold("inner"), pointer="outer-1")),
            DONE,
        ],
    })
def o(client: Client) -> None:
    outer = client.begin("o1", "RUN:outer")
    client.wait_held("inner")
    client.look("within", live=["outer-1", "inner-1"], pointer="outer-1")
    client.tally("within", "inner-1", {"Bash ok": 1, "Bash running": 1})
    client.let_go("inner")
    client.wait_held("outer")
    client.look("after", live=["outer-1"])
    client.let_go("outer")
    outer.end()
    client.look("at the end")


@scenario(
    "clients that run no hooks, within a Bash call of one that does and beside it",
    provokes=SESSION | TOOLS,
    compared=False,
    nests=True,
    sessions=("outer-1 outer-2", "within", "beside"),
    conversations={
        "outer": [
            turn("", probe("outer-1", f"@INNER@ -p 'RUN:within hello' {' '.join(UNHOOKED)} </dev/null")),
            turn("", probe("outer-2", hold("outer"))),
            DONE,
        ],
        **{label: [turn("", probe(label, pointer="outer-1")), DONE] for label in ("within", "beside")},
    })
def u(client: Client) -> None:
    outer = client.begin("u1", "RUN:outer")
    client.wait_held("outer")
    client.ask("u2", "RUN:beside", *UNHOOKED)
    client.let_go("outer")
    outer.end()
    client.look("at the end")


@scenario(
    "a git worktree of the same name beside the main tree, a client in each",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("main-1 main-2 main-3", "side-1 side-2 side-3"),
    conversations={
        "main": [
            turn("", probe("main-1")),
            turn("", probe("main-2", hold("main"))),
            turn("", probe("main-3", pointer="side-1")),
            DONE,
        ],
        "side": [
            turn("", probe("side-1")),
            turn("", probe("side-2", hold("side"))),
            turn("", probe("side-3")),
            DONE,
        ],
    })
def w(client: Client) -> None:
    side_tree = client.worktree("side")
    main = client.begin("w1", "RUN:main")
    client.wait_held("main")
    side = client.begin("w2", "RUN:side", at=side_tree)
    client.wait_held("side")
    # Two trees with the same name share the pointer. It names the latest session, and `current` never uses it in the other tree.
    client.look("both, main", live=["main-1"], pointer="side-1")
    client.look("both, side", live=["side-1"], at=side_tree)
    client.let_go("main")
    main.end()
    client.look("one left, main", pointer="side-1")
    client.look("one left, side", live=["side-1"], at=side_tree)
    client.let_go("side")
    side.end()
    client.look("none left, main")
    client.look("none left, side", at=side_tree)


@scenario(
    "one session resumed in two git worktrees at once, and forked meanwhile",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("first moved stays", "fork"),
    conversations={
        **once("first"),
        **{label: [turn("", probe(label, hold(label))), DONE] for label in ("moved", "stays", "fork")},
    })
def y(client: Client) -> None:
    side_tree = client.worktree("side")
    client.ask("y1", "RUN:first", "--session-id", FIRST_ID)
    moved = client.begin("y2", "RUN:moved", "--resume", FIRST_ID, at=side_tree)
    client.wait_held("moved")
    client.look("moved, main", pointer="moved")
    client.look("moved, side", live=["moved"], at=side_tree)
    stays = client.begin("y3", "RUN:stays", "--resume", FIRST_ID)
    client.wait_held("stays")
    client.look("both, main", live=["stays"])
    client.look("both, side", live=["moved"], at=side_tree)
    client.let_go("moved")
    moved.end()
    client.look("one left, main", live=["stays"])
    client.look("one left, side", pointer="stays", at=side_tree)
    fork = client.begin("y4", "RUN:fork", "--resume", FIRST_ID, "--fork-session")
    client.wait_held("fork")
    client.look("forked", live=["stays", "fork"], pointer="fork")
    for asked, gate in ((fork, "fork"), (stays, "stays")):
        client.let_go(gate)
        asked.end()
    client.look("none left")


@scenario(
    "a client killed in a Bash call, and one killed while idle; then resumed",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("busy-1 busy-2 orphan resumed", "idle revived"),
    conversations={
        "busy": [
            turn("", probe("busy-1")),
            turn("", probe("busy-2", f"{hold('busy')}; {probed('orphan')}; {hold('orphan')}")),
            turn("Never said."),
        ],
        "revived": [turn("", probe("revived", hold("revived"))), DONE],
        **once("resumed", "idle"),
    })
def k(client: Client) -> None:
    busy = client.begin("k1", "RUN:busy", "--session-id", FIRST_ID)
    client.wait_held("busy")
    busy.kill()
    client.look("killed in a call", abandoned=["busy-1"], pointer="busy-1")
    # The command outlives its client.
    client.let_go("busy")
    client.wait_held("orphan")
    client.let_go("orphan")
    client.ask("k2", "RUN:resumed", "--resume", FIRST_ID)
    client.look("resumed and ended")

    idle = client.converse("k3", "--session-id", SECOND_ID)
    idle.say("RUN:idle")
    client.look("idle", live=["idle"])
    idle.kill()
    client.look("killed while idle", abandoned=["idle"], pointer="idle")
    revived = client.begin("k4", "RUN:revived", "--resume", SECOND_ID)
    client.wait_held("revived")
    client.look("revived", live=["idle"])
    client.let_go("revived")
    revived.end()
    client.look("at the end")


@scenario(
    "clients under `ccsession run`: the same id again, resumed, after a crash of either, and refused while held",
    provokes=SESSION | TOOLS,
    compared=False,
    launched=True,
    sessions=("new again resumed busy orphaned last",),
    conversations={
        **once("new", "again", "resumed", "last"),
        "busy": [turn("", probe("busy", hold("busy"))), turn("Never said.")],
        "orphaned": [turn("", probe("orphaned", hold("orphaned"))), DONE],
    })
def x(client: Client) -> None:
    given, resumed = ("--session-id", FIRST_ID), ("--resume", FIRST_ID)
    client.ask("x1", "RUN:new", run=given)
    client.look("ended")
    client.ask("x2", "RUN:again", run=given)
    client.ask("x3", "RUN:resumed", run=resumed)

    # The client is killed: the launcher ends, too, with the status that a shell would return.
    busy = client.begin("x4", "RUN:busy", run=given)
    client.wait_held("busy")
    client.look("held", live=["busy"])
    client.ask("x5", "RUN:never", run=given)
    client.kill_client_of("busy")
    busy.end()
    client.let_go("busy")

    # The launcher is killed: its client holds the id until the client ends.
    orphaned = client.begin("x6", "RUN:orphaned", run=given)
    client.wait_held("orphaned")
    orphaned.kill_launcher()
    client.ask("x7", "RUN:never", run=resumed)
    client.let_go("orphaned")
    client.wait_ended("orphaned")
    client.ask("x8", "RUN:last", run=resumed)
    client.look("at the end")


@scenario(
    "a client that moves into a git worktree and back in mid-session",
    provokes=SESSION | TOOLS,
    compared=False,
    sessions=("before inside-1 inside-2 after",),
    conversations={"enter": [
        turn("", probe("before")),
        turn("", tool("ToolSearch", query="select:EnterWorktree,ExitWorktree", max_results=5)),
        turn("", tool("EnterWorktree", name="entered")),
        turn("", probe("inside-1", "pwd")),
        turn("", probe("inside-2", hold("inside"))),
        turn("", tool("ExitWorktree", action="keep")),
        turn("", probe("after", hold("after"))),
        DONE,
    ]})
def e(client: Client) -> None:
    entering = client.begin("e1", "RUN:enter")
    client.wait_held("inside")
    client.look("inside, main", live=["before"])
    # The session's project is the one that its client was started in.
    client.look("inside, worktree", pointer="before", at=client.layout.project / ".claude/worktrees/entered")
    client.let_go("inside")
    client.wait_held("after")
    client.look("after, main", live=["before"])
    client.let_go("after")
    entering.end()
    client.look("at the end")


# How people leave commands behind: in the background, and so that they do not end with their client.
LEFT = {
    "nohup": "nohup {} &",
    "setsid": "setsid {} &",
    "both": "(setsid nohup {} &)",
    "deep": "(setsid " + deep("{}") + " &)",
}
STAGES = ("live", "inner-gone", "outer-gone", "another", "none")
# The stages at which the processes that the inner client left ask.
LATER = STAGES[1:]


def left(of: str, stages: tuple[str, ...]) -> dict:
    """Returns a call that leaves processes behind in each of these ways."""
    return bash("\n".join(command.format(ask_later(f"{of}-{how}", of, *stages)) for how, command in LEFT.items()))


@scenario(
    "clients within calls of clients, three deep, below a hundred shells, in a hook and in the background; what they leave",
    provokes=SESSION | TOOLS,
    compared=False,
    nests=True,
    leaves=True,
    hooks={"UserPromptSubmit":
           "if grep -q RUN:outer; then @INNER@ -p 'RUN:hooked hello' </dev/null >/dev/null 2>&1; fi"},
    sessions=("outer-1 outer-2 outer-3 outer-4", "inner-1 inner-2 inner-3 inner-4 inner-5", "innermost", "hooked",
              "behind-1 behind-2", "another"),
    conversations={
        "outer": [
            turn("", probe("outer-1", hold("outer-1")), left("outer-1", STAGES),
                 bash(LEFT["both"].format(ask_later("away", "outer-1", *STAGES, at="@RUN@/side/project")))),
            turn("", probe("outer-2", f"{deep('@INNER@')} -p 'RUN:inner hello' </dev/null; {probed('outer-3')}")),
            # Nothing shows that this client was started within another, so it takes the pointer when it starts.
            turn("", bash("(setsid @INNER@ -p 'RUN:behind hello' </dev/null >/dev/null 2>&1 &)")),
            turn("", probe("outer-4", hold("outer"), pointer="-")),
            DONE,
        ],
        "inner": [
            turn("", probe("inner-1", pointer="outer-1")),
            turn("", left("inner-1", LATER), bash(deep(probed("inner-2", "outer-1")))),
            turn("", probe("inner-3", f"@OUTER@ -p 'RUN:innermost hello' </dev/null; {probed('inner-4', 'outer-1')}",
                           pointer="outer-1")),
            turn("", probe("inner-5", hold("inner"), pointer="outer-1")),
            DONE,
        ],
        "innermost": [turn("", probe("innermost", hold("innermost"), pointer="outer-1")), DONE],
        "hooked": [turn("", probe("hooked", pointer="-")), DONE],
        "behind": [
            turn("", probe("behind-1", hold("behind"), pointer="-")),
            turn("", probe("behind-2", pointer="-")),
            DONE,
        ],
        "another": [turn("", probe("another", hold("another"), pointer="-")), DONE],
    })
def within(client: Client) -> None:
    client.worktree("side")
    of_outer = ["away", *(f"outer-1-{how}" for how in LEFT)]
    of_inner = [f"inner-1-{how}" for how in LEFT]
    outer = client.begin("within1", "RUN:outer")
    client.wait_held("outer-1")
    client.let_go("outer-1")
    client.wait_held("innermost")
    client.look("three deep", live=["outer-1", "inner-1", "innermost"], pointer="outer-1")
    client.tally("three deep", "innermost", {"Bash running": 1})
    client.ask_strays("live", *of_outer)
    client.let_go("innermost")
    client.wait_held("inner")
    client.look("two deep", live=["outer-1", "inner-1"], pointer="outer-1")
    client.let_go("inner")
    client.wait_held("outer")
    client.wait_held("behind")
    client.running += 1
    client.look("behind", live=["outer-1", "behind-1"], pointer="behind-1")
    client.ask_strays("inner-gone", *of_outer, *of_inner)
    client.let_go("outer")
    outer.end()
    client.ask_strays("outer-gone", *of_outer, *of_inner)
    client.let_go("behind")
    client.wait_no_client()
    # The worktree is removed, with processes in it.
    shutil.rmtree(client.layout.root / "side")
    another = client.begin("within2", "RUN:another")
    client.wait_held("another")
    client.ask_strays("another", *of_outer, *of_inner)
    client.let_go("another")
    another.end()
    client.ask_strays("none", *of_outer, *of_inner)
    client.look("at the end")


@scenario(
    "terminal servers that a hook and a call of a session started: what runs in them belongs to no other session that is live then",
    provokes=SESSION | TOOLS,
    compared=False,
    needs_terminal=True,
    nests=True,
    leaves=True,
    hooks={"SessionStart": "test -e @RUN@/hook.served || { touch @RUN@/hook.served; "
                           "tmux -L hook -f /dev/null new-session -d -c @PROJECT@ 'sleep 600'; } >/dev/null 2>&1"},
    sessions=("first again", "second", "third", "paned-1 paned-2"),
    conversations={
        "first": [
            turn("", bash("tmux -L call -f /dev/null new-session -d 'sleep 600'")),
            turn("", probe("first", hold("first"))),
            DONE,
        ],
        "again": [turn("", probe("again", hold("again"), pointer="-")), DONE],
        "second": [turn("", probe("second", hold("second"), pointer="-")), DONE],
        "third": [turn("", probe("third", hold("third"), pointer="-")), DONE],
        "paned": [
            turn("", probe("paned-1", pointer="-")),
            turn("", probe("paned-2", hold("paned"), pointer="-")),
            DONE,
        ],
    })
def server(client: Client) -> None:
    both = ("hook", "call")
    side = client.worktree("side")
    first = client.begin("server1", "RUN:first", "--session-id", FIRST_ID)
    client.wait_held("first")
    client.ask_panes("live", "first", *both)
    client.let_go("first")
    first.end()
    client.ask_panes("gone", "first", *both)
    second = client.begin("server2", "RUN:second", program=client.inner)
    client.wait_held("second")
    third = client.begin("server3", "RUN:third", at=side)
    client.wait_held("third")
    client.ask_panes("another", "first", *both)
    client.ask_panes("elsewhere", "first", *both, at=side)
    # A client in such a pane has its own session.
    client.in_server("hook", f"{client.inner} -p 'RUN:paned hello' </dev/null >{client.layout.out}/paned.stdout 2>&1")
    client.wait_held("paned")
    client.running += 1
    client.look("paned", live=["second", "paned-1"], pointer="paned-1")
    client.tally("paned", "paned-1", {"Bash ok": 1, "Bash running": 1})
    again = client.begin("server4", "RUN:again", "--resume", FIRST_ID)
    client.wait_held("again")
    client.ask_panes("again", "first", *both)
    for asked, gate in ((again, "again"), (second, "second"), (third, "third")):
        client.let_go(gate)
        asked.end()
    client.ask_panes("paned", "first", *both)
    client.let_go("paned")
    client.wait_no_client()
    client.ask_panes("none", "first", *both)
    client.look("at the end")
