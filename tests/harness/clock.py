#!/usr/bin/env python3
"""Plays a session under clocks that jump, from before 1970 to the year 9999, and checks what is there once the clock is right
again. The size is how many orders of jumps are played.
"""

import json
import random

import shim
from stage import Report, Stage, options

DAY = 24 * 60 * 60
CLOCKS = {
    "right": "+0", "an hour back": f"-{60 * 60}", "six minutes ahead": "+360", "30 hours ahead": f"+{30 * 60 * 60}",
    "30 hours back": f"-{30 * 60 * 60}", "a year ahead": f"+{365 * DAY}", "a year back": f"-{365 * DAY}", "1969": "@-1",
    "1970": "@0", "1901": "@-2147483649", "2038": "@2147483648", "2106": "@4294967296", "the year 9999": "@253402300799",
}


def play(report, programs, preload, jumps):
    with Stage().with_programs(programs).swept() as stage:
        def wrong(what):
            report.fault(f"{' -> '.join(jumps)}: {what}")

        clock = lambda name: {"LD_PRELOAD": preload, "CLOCK": CLOCKS[name]} if name != "right" else {}
        path = stage.transcript("s-1")
        events = [("SessionStart", {"source": "startup", "transcript_path": str(path)}), ("UserPromptSubmit", {"prompt": "x"}),
                  ("PreToolUse", {"tool_name": "Bash", "tool_use_id": "t1"}),
                  ("PostToolUse", {"tool_name": "Bash", "tool_use_id": "t1", "tool_response": {}}), ("Stop", {})]
        for number, (name, more) in enumerate(events):
            done = stage.hook(name, "s-1", env=clock(jumps[number % len(jumps)]), **more)
            if (done.returncode, done.stdout, done.stderr) != (0, b"", b""):
                wrong(f"{name}: {done.returncode} {done.stderr.decode()}")
        for name in jumps:
            for command in (["current"], ["list", "--all"], ["show", "s-1"], ["timeline", "s-1"], ["stats"], ["cleanup"],
                            ["doctor"], ["metrics"], ["archive", "verify"]):
                done = stage.ccsession(*command, **clock(name))
                # With status 5 the doctor reports a fault, such as a wrong clock.
                if done.returncode not in (0, 5 if command == ["doctor"] else 0):
                    wrong(f"{command[0]} in {name}: {done.returncode} {done.stderr.decode()[-300:]}")
                if command == ["current"] and done.stdout.decode().strip() not in ("s-1", "unknown"):
                    wrong(f"current in {name}: {done.stdout!r}")
        # Once the clock is right again, the session or its archive is there.
        stage.ccsession("cleanup")
        is_there = stage.ccsession("show", "s-1").returncode == 0
        archives = json.loads(stage.ccsession("archive", "list", "--all", "--json").stdout)["archives"]
        if not is_there and not archives:
            wrong("the session is neither on record nor archived")
        stage.hook("UserPromptSubmit", "s-1", prompt="again")
        answer = stage.ccsession("current").stdout.decode().strip()
        if answer not in ("s-1", "unknown"):
            wrong(f"current is {answer!r}")
        if stage.ccsession("clock-out", "s-1").returncode:
            wrong("the session cannot be clocked out")
        shown = json.loads(stage.ccsession("timeline", "s-1", "--json").stdout or "{}")
        for call in shown.get("calls", []):
            if (call.get("duration_ms") or 0) < 0:
                wrong(f"a call took {call['duration_ms']} ms")
        return answer == "s-1"


def main():
    chosen = options(200, 2, "orders of jumps")
    programs, preload = shim.build()
    report = Report(chosen)
    plays = [["right", name] for name in CLOCKS] if not chosen.short else []
    while len(plays) < chosen.size:
        plays.append(random.choices(list(CLOCKS), k=3))
    named = sum(play(report, programs, preload, jumps) for jumps in plays)
    report.row("lives of a session", f"{len(plays)} orders of {len(CLOCKS)} clocks, 5 events and 18 to 27 commands each",
               f"on record or archived in all but {len(report.wrong)}; current names it in {named}, else says unknown")
    shim.remove(preload)
    report.end()


main()
