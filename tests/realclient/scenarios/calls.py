"""Scenarios of calls: however a call goes, it is accounted for once, and in an ended session none is still running.

Each scenario counts its calls by hand in `calls`; the tallies count them from a shell beside the session.
"""
import time

from client import Client
from scenarios.table import (
    SESSION, TOOLS, agent, bash, edit, hold, probe, read, scenario, tool, turn, write)

CALLS_ID = "44444444-4444-4444-8444-444444444444"
TELEMETRY_ID = "77777777-7777-4777-8777-777777777777"
DONE = turn("Done.")

# In two parts, so that no scanner takes them for secrets in this file. The client works with the whole.
TOKEN, KEY = "gh" + "p_" + "Zq4Lm9Xw2Rt7Vb5Nc8Kd1Hs6Jf3Gy0Pa9TeU", "AK" + "IA" + "Q7ZLMX2WRTVBN5CK"
PASSWORD = "correct-horse-7-battery"

# A command that prints a page of text that no rule takes for a secret.
PAGE = "for i in $(seq 600); do echo \"line $i of a page of text\"; done"


@scenario(
    "twelve calls in one message, some of them failing; two subagents with parallel calls of their own",
    provokes=SESSION | TOOLS | {"PostToolUseFailure", "SubagentStart", "SubagentStop"},
    compared=False,
    calls={"Bash ok": 9, "Bash failed": 3, "Read ok": 4, "Read failed": 1, "Write ok": 1, "Agent ok": 2},
    conversations={
        "many": [
            turn("Twelve at once.", probe("many"), bash("cat notes.txt"), bash("ls sub"), read("notes.txt"),
                 read("README.md"), bash("exit 3"), read("missing.txt"), bash("ls nowhere"), write("w.txt", "w\n"),
                 bash("cat README.md"), bash("echo $((6 * 7))"), bash("kill -9 $$")),
            turn("Two at once.", agent("left"), agent("right")),
            DONE,
        ],
        "left": [turn("", read("notes.txt"), bash("cat notes.txt"), bash("ls")), turn("Left report.")],
        "right": [turn("", read("README.md"), bash("ls sub"), bash("cat notes.txt")), turn("Right report.")],
    })
def p(client: Client) -> None:
    client.ask("p1", "RUN:many")


@scenario(
    "calls that are denied: by a rule, by another's hook, for want of somebody to ask; and some that are not valid",
    provokes=SESSION | TOOLS | {"PermissionRequest"},
    compared=False,
    denied=("Bash(rm:*)",),
    refusing="forbidden",
    calls={"Bash ok": 2, "Bash denied": 3, "WebFetch denied": 1, "NoSuchTool failed": 1, "Edit failed": 1},
    conversations={"denied": [
        turn("", bash("rm notes.txt")),
        turn("", bash("echo forbidden")),
        turn("", tool("WebFetch", url="http://127.0.0.1/", prompt="what it says")),
        turn("", tool("NoSuchTool", a=1), edit("notes.txt", "not there", "x")),
        turn("", bash("ls"), bash("rm README.md"), probe("after")),
        DONE,
    ]})
def d(client: Client) -> None:
    client.ask("d1", "RUN:denied")


@scenario(
    "interactive: Esc while one of several calls runs, a call that is not allowed, /exit while a subagent works",
    provokes=SESSION | TOOLS | {"PermissionRequest", "SubagentStart"},
    compared=False,
    needs_terminal=True,
    # No hook reports that the user did not allow a call, or that a call was waiting when Esc was pressed.
    calls={"Bash ok": 1, "Read ok": 1, "Bash abandoned": 2, "WebFetch abandoned": 1, "Agent backgrounded": 1},
    conversations={
        "long": [turn("", read("notes.txt"), probe("long", hold("long")), write("never.txt", "n\n")), DONE],
        "fetch": [turn("", tool("WebFetch", url="http://127.0.0.1/", prompt="what it says")), DONE],
        # At a terminal every subagent is in the background.
        "deep": [turn("", agent("below")), turn("", probe("deep")), DONE],
        "below": [turn("", bash(hold("below"))), DONE],
    })
def i(client: Client) -> None:
    with client.terminal("i") as terminal:
        terminal.send("RUN:long")
        client.wait_held("long")
        client.tally("running", "long", {"Read ok": 1, "Bash running": 1})
        terminal.keys("Escape")
        terminal.wait_screen("Interrupted")
        terminal.settle()

        terminal.submit("RUN:fetch", until="PermissionRequest")
        terminal.keys("Escape")
        terminal.settle()

        terminal.submit("RUN:deep", until="Stop")
        client.wait_held("below")
        terminal.send("/exit")
        terminal.wait_screen("Exit and stop tasks")
        terminal.keys("Enter")
        terminal.wait_exit()


@scenario(
    "a client killed while subagents and their calls run side by side; then resumed",
    provokes=SESSION | TOOLS | {"SubagentStart"},
    compared=False,
    calls={"Bash ok": 3, "Agent backgrounded": 1, "Agent abandoned": 1, "Bash abandoned": 2},
    conversations={
        "busy": [
            turn("", probe("before")),
            turn("", agent("behind", background=True)),
            turn("Three at once.", agent("left", "Explore"), bash("ls"), bash("touch never")),
            turn("Never said."),
        ],
        **{label: [turn("", bash(hold(label))), turn("Never said.")] for label in ("behind", "left")},
        "resumed": [turn("", probe("resumed")), DONE],
    })
def z(client: Client) -> None:
    running = {"Bash ok": 2, "Agent backgrounded": 1, "Agent running": 1, "Bash running": 2}
    killed = {"Bash ok": 2, "Agent backgrounded": 1, "Agent abandoned": 1, "Bash abandoned": 2}
    busy = client.begin("z1", "RUN:busy", "--session-id", CALLS_ID)
    for gate in ("behind", "left"):
        client.wait_held(gate)
    client.tally("running", "before", running)
    # The client writes its transcripts some time after the events in them.
    time.sleep(1)
    busy.kill()
    client.tally("killed", "before", killed)
    for gate in ("behind", "left"):
        client.let_go(gate)
    client.ask("z2", "RUN:resumed", "--resume", CALLS_ID)
    client.tally("resumed", "before", killed | {"Bash ok": 3})


@scenario(
    "what goes on in the background: commands, one moved there by its time limit, subagents, one within another",
    provokes=SESSION | TOOLS | {"SubagentStart", "SubagentStop"},
    compared=False,
    calls={"Bash ok": 4, "Bash backgrounded": 2, "Agent backgrounded": 2, "Agent ok": 1},
    conversations={
        "main": [
            turn("", bash("until test -e @RUN@/enough; do sleep 0.05; done; echo ready", run_in_background=True)),
            turn("", bash("until test -e @RUN@/enough; do sleep 0.05; done", timeout=1000)),
            turn("", agent("first", background=True), agent("second", background=True)),
            turn("", probe("main", "touch @RUN@/enough")),
            *[turn("Noted.")] * 6,
        ],
        "first": [turn("", probe("first")), turn("", agent("inner")), turn("First report.")],
        "inner": [turn("", bash("echo inner")), turn("Inner report.")],
        "second": [turn("", probe("second", "sleep 0.5")), turn("Second report.")],
    })
def v(client: Client) -> None:
    client.ask("v1", "RUN:main")


@scenario(
    "our hooks registered twice",
    provokes=SESSION | TOOLS | {"PostToolUseFailure", "SubagentStart", "SubagentStop"},
    compared=False,
    doubled=True,
    calls={"Bash ok": 4, "Bash failed": 1, "Read ok": 1, "Agent ok": 1},
    conversations={
        "twice": [
            turn("Three at once.", probe("one"), read("notes.txt"), bash("exit 3")),
            turn("", agent("below")),
            turn("", bash("true"), bash("true")),
            DONE,
        ],
        "below": [turn("", bash("ls")), turn("Report.")],
    })
def h(client: Client) -> None:
    client.ask("h1", "RUN:twice")


@scenario(
    "full capture: secrets in a command, in output, in a file and in a prompt",
    provokes=SESSION | TOOLS | {"PostToolUseFailure"},
    compared=False,
    environment={"CCSESSION_CAPTURE": "full"},
    secrets=(TOKEN, KEY, PASSWORD),
    calls={"Bash ok": 3, "Bash failed": 1, "Write ok": 1, "Read ok": 1},
    conversations={"secret": [
        turn("", probe("one", f"GITHUB_TOKEN={TOKEN} true")),
        turn(f"The token is {TOKEN}.", bash(f"echo key {KEY}; echo password={PASSWORD}")),
        turn("", bash(f"curl -H 'Authorization: Bearer {TOKEN}' http://127.0.0.1:1/ 2>&1 || echo {KEY} >&2; exit 3")),
        turn("", write("env.sh", f"export DB_PASSWORD='{PASSWORD}'\nexport TOKEN={TOKEN}\n")),
        turn("", read("env.sh")),
        turn("", tool("Bash", command="cat env.sh", description=f"Show {KEY}")),
        turn(f"It was {KEY}."),
    ]})
def f(client: Client) -> None:
    client.ask("f1", f"RUN:secret use {TOKEN}")


@scenario(
    "journals of 64 KiB: they are rotated while calls run, and read as one",
    provokes=SESSION | TOOLS | {"PostToolUseFailure", "SubagentStart", "SubagentStop"},
    compared=False,
    environment={"CCSESSION_CAPTURE": "full", "CCSESSION_JOURNAL_LIMIT": "64KiB"},
    rotates=True,
    calls={"Bash ok": 11, "Bash failed": 1, "Agent ok": 2},
    conversations={
        "pages": [
            turn("", probe("one", PAGE)),
            turn("Five at once.", *[bash(PAGE)] * 4, bash(f"{PAGE}; exit 3")),
            turn("Two at once.", agent("left"), agent("right")),
            DONE,
        ],
        **{label: [turn("", bash(PAGE), bash(PAGE)), turn("", bash(PAGE)), turn("Report.")]
           for label in ("left", "right")},
    })
def j(client: Client) -> None:
    client.ask("j1", "RUN:pages")


@scenario(
    "a client that sends telemetry of its own: what it says of a call and what we say are one call",
    provokes=SESSION | TOOLS | {"PostToolUseFailure", "SubagentStart", "SubagentStop"},
    compared=False,
    traced=True,
    environment={
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
        "CLAUDE_CODE_PROPAGATE_TRACEPARENT": "1",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "@API@",
    },
    calls={"Bash ok": 3, "Bash failed": 1, "NoSuchTool failed": 1, "Agent ok": 1, "Read ok": 1},
    conversations={
        "sent": [turn("", probe("sent")), turn("", bash("exit 3"), tool("NoSuchTool", a=1)), turn("", agent("below")),
                 DONE],
        "below": [turn("", read("notes.txt"), bash("ls")), turn("Report.")],
        "more": [turn("", probe("more")), DONE],
    })
def telemetry(client: Client) -> None:
    client.ask("telemetry1", "RUN:sent", "--session-id", TELEMETRY_ID)
    client.ask("telemetry2", "RUN:more", "--resume", TELEMETRY_ID)
