#!/usr/bin/env python3
"""Sends SIGKILL at every system call of every hook and command, and at random moments to hooks that record at the same time.

Every call is tried once; the size is the number of random kills. Afterwards each acknowledged
event (status 0) is in the journal once, each value is the old or the new one, and a cleanup leaves no temporary file.
"""

import json
import os
import random
import signal
import subprocess
import time
from multiprocessing import Pool

from faults import COMMANDS, Scenario
from inject import calls_of
from stage import Report, Stage, event, need, options

WORKERS = 4
# After this many bytes, a journal goes on in a new file: small, so that kills also hit rotations.
SMALL_PART = "64KiB"


def kill_at(task):
    name, points = task
    scenario, wrong, killed = Scenario(name), [], 0
    for call, nth in points:
        scenario.reset()
        done = scenario.under_strace("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={nth}")
        killed += done.returncode == -signal.SIGKILL
        try:
            said = scenario.judge(done, is_killed=True)
        except (OSError, ValueError, KeyError) as err:
            said = [f"{type(err).__name__}: {err}"]
        wrong += [f"{name}, killed at {call} number {nth}: {what}" for what in said]
    scenario.close()
    return name, len(points), killed, wrong


def record_and_kill(task):
    """Runs hooks and kills them at random moments. Returns which calls were acknowledged."""
    place, worker, kills, seed = task
    stage, luck = Stage(at=place), random.Random(seed)
    env = stage.env(CCSESSION_JOURNAL_LIMIT=SMALL_PART)
    killed, number, acknowledged = 0, 0, []
    while killed < kills:
        number += 1
        call = f"w{worker}-{number}"
        payload = event("PreToolUse", "s-1", cwd=str(stage.project), tool_name="Bash", tool_use_id=call,
                        tool_input={"description": "x" * luck.randrange(150)})
        hook = subprocess.Popen([stage.program("pre-tool-use")], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=env, cwd=stage.project)
        try:
            hook.stdin.write(payload.encode())
            hook.stdin.close()
        except BrokenPipeError:
            pass
        time.sleep(luck.uniform(0, 0.004))
        hook.kill()
        status = hook.wait()
        killed += status == -signal.SIGKILL
        if status == 0:
            acknowledged.append(call)
    return acknowledged


def lines_of(folder):
    torn, calls = 0, []
    for path in sorted(folder.glob("events*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            try:
                calls.append(json.loads(line).get("tool_use_id"))
            except ValueError:
                torn += 1
    return torn, calls


def at_random(report, kills):
    with Stage() as stage:
        stage.swept()
        stage.hook("SessionStart", "s-1", source="startup")
        tasks = [(stage.dir, worker, kills // WORKERS, random.randrange(1 << 32)) for worker in range(WORKERS)]
        with Pool(WORKERS) as pool:
            acknowledged = sum(pool.map(record_and_kill, tasks, chunksize=1), [])
        torn, calls = lines_of(stage.state / "sessions/s-1")
        recorded = [call for call in calls if call]
        lost = set(acknowledged) - set(recorded)
        twice = len(recorded) - len(set(recorded))
        report.check(not lost, f"{len(lost)} acknowledged events are lost, such as {sorted(lost)[:3]}")
        report.check(twice == 0, f"{twice} events are there twice")
        told = json.loads(stage.ccsession("show", "s-1", "--json").stdout)
        report.row("random moments", f"{kills} kills, {len(acknowledged)} acknowledged",
                   f"{len(lost)} lost, {twice} twice, {torn} torn lines, each a killed hook's")
        report.check(told is not None, "the session cannot be shown")


def main():
    chosen = options(10_000, 60, "kills at random moments")
    need("strace")
    report = Report(chosen)
    with Pool(2) as pool:
        points = sum(pool.map(calls_of, COMMANDS, chunksize=1), [])
        if chosen.short:
            points = random.sample(points, 25)
        tasks = []
        for name in COMMANDS:
            own = [point[1:] for point in points if point[0] == name]
            tasks += [(name, own[at:at + 100]) for at in range(0, len(own), 100)]
        totals = {}
        for name, count, killed, wrong in pool.imap_unordered(kill_at, tasks, chunksize=1):
            done, dead, bad = totals.get(name, (0, 0, 0))
            totals[name] = done + count, dead + killed, bad + len(wrong)
            for text in wrong:
                report.fault(text)
    for name, (count, killed, bad) in totals.items():
        report.row(f"{name}, at each call", f"{count} calls", f"{killed} killed, {bad} wrong")
    at_random(report, chosen.size)
    report.end()


if __name__ == "__main__":
    main()
