#!/usr/bin/env python3
"""Interrupts reads and writes, or lets them do only a part, for real, in every hook and command of a session.

Hooks exit with 0 and print nothing; replaced files are whole; a log says so if an event was not written whole.
"""

import json
import random

import shim
from stage import Report, Stage, is_whole_pointer, options

SETTINGS = '{\n  "model": "opus"\n}\n'


def life(report, programs, preload, seed):
    """Plays a session with a seed. Returns how many events were sent, are whole, are torn, and how many commands were refused."""
    with Stage().with_programs(programs).swept() as stage:
        wrong = lambda what: report.fault(f"LIE={seed}: {what}")
        lies = {"LD_PRELOAD": preload, "LIE": seed}
        settings = stage.home / ".claude/settings.json"
        path = stage.transcript("s-1", lines=40)
        settings.write_text(SETTINGS)
        settings.chmod(0o600)
        sent = refused = 0
        calls = [("PreToolUse", {"tool_name": "Bash", "tool_use_id": f"t{n}", "tool_input": {"description": "x" * 40 * n}})
                 for n in range(6)]
        for name, more in [("SessionStart", {"source": "startup", "transcript_path": str(path)}),
                           ("UserPromptSubmit", {"prompt": "hello " * 500}), *calls, ("Stop", {})]:
            done = stage.hook(name, "s-1", env=lies, **more)
            sent += 1
            if (done.returncode, done.stdout, done.stderr) != (0, b"", b""):
                wrong(f"{name}: {done.returncode} {done.stdout + done.stderr!r}")
        for command in (["current"], ["list"], ["show", "s-1"], ["install"], ["clock-out", "s-1"], ["cleanup"],
                        ["archive", "verify"]):
            done = stage.ccsession(*command, **lies)
            if b"could not append all to" in done.stderr:
                # Two partial writes in a row: the command says so and fails, and must work the next time.
                refused += 1
                done = stage.ccsession(*command)
            if done.returncode != 0:
                wrong(f"{command}: {done.returncode} {done.stderr.decode()}")
        if "hooks" not in json.loads(settings.read_text()):
            wrong("install did not")
        if stage.ccsession("uninstall", **lies).returncode or settings.read_text() != SETTINGS:
            wrong("uninstall does not restore the settings")
        if stage.record("s-1")["session_id"] != "s-1" or is_whole_pointer(stage.pointers / "claude_session_shop") != "s-1":
            wrong("the record or the pointer is not whole")
        whole = torn = 0
        for line in (stage.state / "sessions/s-1/events.jsonl").read_bytes().split(b"\n"):
            try:
                whole += bool(line) and json.loads(line)["session_id"] == "s-1"
            except ValueError:
                torn += 1
        said = 0
        for name in ("hook-errors.jsonl", "unattributed.jsonl"):
            log = stage.state / name
            said += len([line for line in log.read_bytes().split(b"\n") if line]) if log.exists() else 0
        if whole + said < sent:
            wrong(f"{sent} events: {whole} recorded, {torn} torn, {said} logged as missing")
        for left in stage.leftovers():
            wrong(f"left behind: {left}")
        return sent, whole, torn, refused


def main():
    chosen = options(300, 3, "sessions")
    programs, preload = shim.build()
    report, sums = Report(chosen), (0, 0, 0, 0)
    for _ in range(chosen.size):
        sums = tuple(map(sum, zip(sums, life(report, programs, preload, random.randrange(1, 1 << 30)))))
    sent, whole, torn, refused = sums
    report.row("lives of a session", f"{chosen.size} with {sent} events and 8 commands each",
               f"{whole} events whole, {torn} torn lines, {refused} commands refused and tried again")
    shim.remove(preload)
    report.end()


main()
