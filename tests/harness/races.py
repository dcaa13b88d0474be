#!/usr/bin/env python3
"""Races for the pointer: a hundred writers against readers (G1), and stores against four sweeps, readers and ends at once (G3).
They are the tests of `tests/it/races.rs` in their full form; the size says how many times.

A size of 10 makes a million stores, a size of 50 a million rounds of each race.
"""

import os
import re
import subprocess

from stage import ROOT, Report, need, options


def main():
    chosen = options(10, 0, "times the full form, 0 for the form of cargo test")
    need("cargo")
    report = Report()
    env = os.environ | ({"CCSESSION_TORTURE": "full", "CCSESSION_TIMES": str(chosen.size)} if chosen.size else {})
    tests = ["races::a_hundred_writers", "races::a_sweep_never", "races::a_reader_never", "races::an_end_never",
             "races::a_pointer_of_a_writer"]
    for test in tests:
        ended = subprocess.run(["cargo", "test", "--locked", "--quiet", "--test", "it", "--", "--nocapture", test], cwd=ROOT,
                               env=env, capture_output=True, text=True)
        report.check(ended.returncode == 0, f"{test}: {(ended.stdout + ended.stderr)[-600:]}")
        for line in ended.stdout.splitlines():
            if " rounds, " in line:
                name, rest = line.split(": ", 1)
                size, result = rest.split(", ", 1)
                report.row(name, size, re.sub(r", longest: \S+", "", result))
            elif " writers x " in line:
                size, result = line.split(", ", 1)
                report.row("stores against readers", size, result + ", 0 torn, 0 missing" * (ended.returncode == 0))
    report.end()


main()
