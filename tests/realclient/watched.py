#!/usr/bin/env python3
"""Runs a session of the real client at a terminal, offline, for a program that drives it by lines and watches from outside.

    watched.py FOLDER

`FOLDER/run` is laid out as `layout.py` says. The session has its own network, /tmp and home, but the machine's process ids, so
that the program can see its processes. The first line of stdout is a JSON object: `{"skipped": why}`, or `{"ready": true}` once the
client waits for a prompt. Then each line of stdin is one step, as a JSON list, and is answered by `{"done": step}` or
`{"failed": why}`:

    ["send", TEXT]    types a line and sends it         ["held", NAME]    waits for the gate of a command
    ["keys", NAME…]   presses keys once it is at rest   ["go", NAME]      opens it
    ["exit"]          leaves by /exit, and waits for the client's end

The prompt `RUN:work` makes a call that waits at the gate `work`, `RUN:ask` one that needs permission, and `RUN:many` four at
once: one fails, and one is a subagent with one call.
"""
import sys

sys.dont_write_bytecode = True  # nothing is left behind in the source tree

import json
import os
import runpy
import shutil
from pathlib import Path

import sandbox
from client import VERSION, Client, Clients, Terminal, Unavailable
from fake_api import FakeApi
from layout import Layout
from scenarios import Scenario
from scenarios.attention import DONE, fetch
from scenarios.table import agent, bash, hold, read, turn

HERE = Path(__file__).resolve().parent
CONVERSATIONS = {
    "work": [turn("", bash(hold("work"))), DONE],
    "ask": [turn("", fetch()), DONE],
    "many": [turn("", read("notes.txt"), read("none.txt"), bash("true"), agent("below")), DONE],
    "below": [turn("", bash("echo below")), turn("Below is done.")],
}


def main(folder: Path) -> None:
    """Makes sure that the machine can run the client, and starts this file again in namespaces."""
    run = runpy.run_path(str(HERE / "run"))
    try:
        if shutil.which("tmux") is None:
            raise Unavailable("tmux is missing")
        clients = Clients.installed(run["working_folder"](), VERSION, VERSION)
        namespaces = sandbox.namespaces(own_processes=False)
    except Unavailable as why:
        say({"skipped": str(why)})
        return
    layout = Layout(folder / "run")
    sandbox.make_folders(layout, clients)
    sandbox.copy_binaries(run["binaries"](), layout)
    command = [*namespaces, sys.executable, "-sEB", __file__, str(folder), str(clients.outer)]
    os.execvp(command[0], command)


def play(folder: Path, program: Path) -> None:
    """Plays the session. Runs inside the namespaces."""
    layout = Layout(folder / "run")
    sandbox.close_off(visible=[folder, program.parent, HERE])
    api = FakeApi(CONVERSATIONS, {"RUN": str(layout.root), "PROJECT": str(layout.project)}, layout.api_log)
    api.start()
    environment = sandbox.client_environment(layout, api.url)
    scenario = Scenario("watched", "", play, CONVERSATIONS, set())
    sandbox.seed_client(layout, scenario, {}, sandbox.EVENTS)
    sandbox.install_ours(layout, environment)
    client = Client(layout, environment)
    with client.terminal("watched") as terminal:
        steps = {
            "send": terminal.send,
            "keys": lambda *names: (terminal.settle(), terminal.keys(*names)),
            "held": client.wait_held,
            "go": client.let_go,
            "exit": lambda: leave(terminal),
        }
        say({"ready": True})
        for line in sys.stdin:
            step, *words = json.loads(line)
            try:
                steps[step](*words)
            except (OSError, TimeoutError) as error:
                say({"failed": str(error)})
                return
            say({"done": step})


def leave(terminal: Terminal) -> None:
    # A `/exit` typed while a subagent reports back would not be taken as a command.
    terminal.needs("prompt", background=0)
    terminal.submit("/exit", until="SessionEnd")
    terminal.wait_exit()


def say(what: dict) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    where, *program = map(Path, sys.argv[1:])
    if program:
        play(where, *program)
    else:
        main(where)
