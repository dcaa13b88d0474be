#!/usr/bin/env python3
"""Limits descriptors, file sizes, memory, stack and processes; closes and fills streams, or ends their readers.

Hooks exit with 0 and print nothing; commands exit with 0 or 1, or another documented status. The earlier session
stays, and without the limit the next event is recorded. The size is how many limits of each kind are tried.
"""

import json
import random

from stage import Report, Stage, event, hook_for, need, options

EVENTS = {"SessionStart": {"source": "startup"}, "PreToolUse": {"tool_name": "Bash", "tool_use_id": "t1"},
          "PostToolUse": {"tool_name": "Bash", "tool_use_id": "t1", "tool_response": {"a": "b"}},
          "UserPromptSubmit": {"prompt": "x"}, "Stop": {}, "SessionEnd": {"reason": "other"}}
COMMANDS = [["current"], ["list"], ["show", "old-1"], ["store", "s-9"], ["cleanup"], ["clock-out", "old-1"], ["doctor"]]
STREAMS = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "| head -c 1 >/dev/null",
           "| true", "</dev/zero", "<&- >/dev/full"]
# What the kernel or the loader says if a process cannot even start.
NOT_STARTED = (b"error while loading shared libraries", b"cannot allocate memory", b"failed to map segment", b"cannot create")


def allowed(command):
    # With status 5 the doctor reports a fault.
    return (0, 1, 5) if command[0] == "doctor" else (0, 1)


def main():
    chosen = options(40, 2, "limits of a kind")
    need("prlimit", "sh")
    report = Report(chosen)
    stage = Stage().swept()
    path = stage.transcript("old-1")
    stage.hook("SessionStart", "old-1", source="startup", transcript_path=str(path))
    record = (stage.state / "sessions/old-1/session.json").read_bytes()
    some = lambda low, high: sorted(random.sample(range(low, high), min(chosen.size, high - low)))
    kinds = {
        "descriptors": [f"--nofile={n}" for n in some(3, 3 + max(12, chosen.size))],
        "size of files": [f"--fsize={n}" for n in [0, *some(1, 5000)]],
        "memory": [f"--as={n << 18}" for n in some(12, 400)],
        "stack": [f"--stack={n << 12}" for n in some(4, 200)],
        "processes": ["--nproc=1"],
        "data": [f"--data={n << 16}" for n in some(1, 200)],
    }
    if chosen.short:
        events, commands = dict(list(EVENTS.items())[:2]), COMMANDS[:2]
    else:
        events, commands = EVENTS, COMMANDS

    def judge(kind, what, done, is_hook, statuses=(0,)):
        if any(said in done.stderr.lower() for said in NOT_STARTED) and done.returncode == 127:
            return 0
        if done.returncode == -11 and kind in ("memory", "stack", "data"):
            return 0  # The kernel could not make the process; no instruction of ours was run.
        if is_hook:
            report.check((done.returncode, done.stdout, done.stderr) == (0, b"", b""),
                         f"{what}: {done.returncode} {(done.stdout + done.stderr)[-200:]!r}")
        else:
            report.check(done.returncode in statuses, f"{what}: {done.returncode} {done.stderr[-200:]!r}")
        return 1

    for kind, limits in kinds.items():
        tried = started = 0
        for limit in limits:
            for name, more in events.items():
                done = stage.hook(name, "new-1", before=["prlimit", limit], env={"CCSESSION_ARCHIVE_AUTO": "false"}, **more)
                started += judge(kind, f"{name} with {limit}", done, True)
                tried += 1
            for command in commands:
                done = stage.run(["prlimit", limit, stage.program("ccsession"), *command])
                started += judge(kind, f"{command} with {limit}", done, False, allowed(command))
                tried += 1
        now = (stage.state / "sessions/old-1/session.json").read_bytes()
        report.check(json.loads(now)["session_id"] == "old-1", f"{kind}: the record has changed")
        report.check(kind != "size of files" or len(now) >= len(record), f"{kind}: the record is shorter")
        report.row(kind, f"{len(limits)} limits, {tried} runs", f"{started} could start")

    tried = 0
    for stream in STREAMS:
        for name, more in events.items():
            payload = event(name, "new-1", cwd=str(stage.project), **more)
            script = f'printf %s "$0" | "$1" {stream}' if "<" not in stream else f'"$1" {stream}'
            if "|" in stream:
                script = f'printf %s "$0" | (trap "" PIPE; "$1"; exit $?) {stream}; exit 0'
            done = stage.run(["sh", "-c", script, payload, stage.program(hook_for(name))])
            report.check(done.returncode == 0 and not done.stdout and not done.stderr,
                         f"{name} {stream}: {done.returncode} {done.stderr!r}")
            tried += 1
        for command in commands:
            done = stage.run(["sh", "-c", f'"$0" "$@" {stream}', stage.program("ccsession"), *command])
            report.check(done.returncode in allowed(command), f"{command} {stream}: {done.returncode} {done.stderr[-200:]!r}")
            tried += 1
    report.row("streams", f"{len(STREAMS)} ways, {tried} runs", "every status 0 or 1, hooks silent")

    done = stage.hook("UserPromptSubmit", "old-1", prompt="x")
    report.check(done.returncode == 0 and stage.ccsession("clock-out", "old-1").returncode == 0, "the session does not go on after the limits")
    stage.close()
    report.end()


main()
