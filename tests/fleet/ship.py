#!/usr/bin/env python3
"""Measures the cost of shipping a simulated fleet: each machine sends its own sessions to one collector, which reads and discards them.
Prints rows for docs/scale.md.

    ship.py PLACE MACHINES…

Each machine is written, ships everything, looks once more when nothing is new, and is removed again.
"""

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import sys

from measure import HERE, ROOT, run


def collector():
    """Starts the collector of benches/ship.py."""
    loader = importlib.machinery.SourceFileLoader("bench", str(ROOT / "benches/ship.py"))
    bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
    loader.exec_module(bench)
    started = bench.Collector()
    started.start()
    return started


def shipped(place, number, ccsession, home):
    """Writes a machine and ships it. Returns the cost of shipping, the cost of looking again, and how many items there were."""
    fleet = place / "fleet-ship"
    shutil.rmtree(fleet, ignore_errors=True)
    run([sys.executable, HERE / "generate.py", 1, fleet, "--first", number])
    [state] = fleet.iterdir()
    state.chmod(0o700)
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "CCSESSION_STATE_DIR": str(state)}
    with open(place / "ship.out", "w+", encoding="utf-8") as out:
        whole = run([ccsession, "ship"], env, out)
        out.seek(0)
        items = sum(int(it.replace(",", "")) for it in re.findall(r"([\d,]+) (?:spans?|events?)", out.read()))
    again = run([ccsession, "ship"], env)
    shutil.rmtree(fleet)
    return whole, again, items


def main():
    place = pathlib.Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    ccsession = pathlib.Path(os.environ["CCSESSION_BIN_DIR"]) / "ccsession"
    home = place / "home"
    (home / ".config/ccsession").mkdir(parents=True, exist_ok=True)
    sink = collector()
    settings = home / ".config/ccsession/config.toml"
    settings.write_text(f'[ship.fleet]\nendpoint = "http://127.0.0.1:{sink.port}"\n')
    print("| machines | spans and records | sent | time | processor | memory | nothing new |\n|---|---|---|---|---|---|---|")
    for machines in map(int, sys.argv[2:] or ["1", "10"]):
        sink.bytes, items = 0, 0
        sums, again, memory = [0.0, 0.0], 0.0, 0.0
        for number in range(machines):
            whole, looked, found = shipped(place, number, ccsession, home)
            sums = [sums[0] + whole[0], sums[1] + whole[1]]
            again, memory, items = again + looked[1], max(memory, whole[2]), items + found
        print(f"| {machines} | {items:,} | {sink.bytes / 1e6:.0f} MB | {sums[0]:.1f} s | {sums[1]:.1f} s | {memory:.0f} MB "
              f"| {again:.2f} s |", flush=True)
    settings.unlink()


if __name__ == "__main__":
    main()
