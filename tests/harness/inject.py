#!/usr/bin/env python3
"""Makes every system call of a hook or a command fail once with each of eight errors, injected by strace.

The size bounds how many are tried, spread over all; 0 tries every call with every error.
"""

import random
from multiprocessing import Pool

from faults import COMMANDS, Scenario
from stage import Report, need, options

ERRORS = ["ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS", "EINTR", "EDQUOT", "ENOMEM"]


def calls_of(name):
    scenario = Scenario(name)
    try:
        return [(name, call, nth) for call, nth in scenario.calls()]
    finally:
        scenario.close()


def try_some(task):
    """Tries some faults of one scenario. Returns its name, how many, and what was wrong."""
    name, faults = task
    scenario, wrong = Scenario(name), []
    for call, nth, error in faults:
        scenario.reset()
        done = scenario.under_strace("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={nth}")
        try:
            said = scenario.judge(done, is_killed=False, can_write=call != "write")
        except (OSError, ValueError, KeyError) as err:
            said = [f"{type(err).__name__}: {err}"]
        wrong += [f"{name}: {error} at {call} number {nth}: {what}" for what in said]
    scenario.close()
    return name, len(faults), wrong


def main():
    chosen = options(0, 40, "faults, 0 for all")
    need("strace")
    report = Report(chosen)
    with Pool(2) as pool:
        points = sum(pool.map(calls_of, COMMANDS, chunksize=1), [])
        faults = [(name, call, nth, error) for name, call, nth in points for error in ERRORS]
        if chosen.size and chosen.size < len(faults):
            faults = random.sample(faults, chosen.size)
        tasks = []
        for name in COMMANDS:
            own = [fault[1:] for fault in faults if fault[0] == name]
            # Each task prepares its scenario once.
            tasks += [(name, own[at:at + 200]) for at in range(0, len(own), 200)]
        totals = {}
        for name, count, wrong in pool.imap_unordered(try_some, tasks, chunksize=1):
            done, bad = totals.get(name, (0, 0))
            totals[name] = done + count, bad + len(wrong)
            for text in wrong:
                report.fault(text)
    for name in COMMANDS:
        count, bad = totals.get(name, (0, 0))
        calls = sum(point[0] == name for point in points)
        report.row(name, f"{calls} calls, {count} faults", f"{bad} wrong")
    report.row("all", f"{len(points)} calls, {sum(count for count, _ in totals.values())} faults",
               f"{sum(bad for _, bad in totals.values())} wrong")
    report.end()


if __name__ == "__main__":
    main()
