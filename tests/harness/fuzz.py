#!/usr/bin/env python3
"""Fuzzes each target of fuzz/ for a number of executions, seeded from the tests' own data (`fuzz.py 10000000 scanner`).

Without a target, runs all of them, one after the other. A crash or a hang (ten seconds) leaves its input in fuzz/artifacts/.
The short form is the test topic `fuzz`: the same checks on mutations of a few seeds.
"""

import json
import os
import re
import shutil
import subprocess

from stage import ROOT, Report, need, options, skip

TARGETS = ["pointer", "names", "record", "journal_line", "transcript_line", "settings", "config", "scanner", "redactor"]
DATA = ROOT / "tests/data"
# The largest size of an input, in bytes. For the redactor, each byte is one token.
LONGEST = {"redactor": 64, "names": 256, "pointer": 256, "settings": 1024}


def seeds(target):
    """Returns the first inputs of a target. The scanner's first byte says in which pieces the rest arrives."""
    if target == "scanner":
        return [b"\x03" + path.read_bytes() for path in (DATA / "payloads/events").glob("*.json")]
    if target == "settings":
        return [path.read_bytes() for path in (DATA / "settings").glob("*.json")]
    if target == "transcript_line":
        lines = [line for path in (DATA / "payloads/transcripts").rglob("*.jsonl") for line in path.read_bytes().splitlines()]
        return sorted(lines, key=len)[:400:4]
    if target == "journal_line":
        line = {"v": 1, "ts": "2026-11-20T14:27:52.467733Z", "mono": 17, "session_id": "s-1", "pid": 24, "tool": "Bash"}
        return [json.dumps(line | {"event": name, "tool_use_id": "t1"}, separators=(",", ":")).encode()
                for name in ("SessionStart", "PreToolUse", "PostToolUse", "SubagentStart", "SubagentStop", "Stop", "RunEnd")]
    if target == "record":
        project = {"name": "shop", "root": "/home/dev/shop"}
        record = {"v": 1, "session_id": "s-1", "project": project, "started_at": "2026-11-20T14:27:52.467733Z"}
        owner = {"v": 1, "pid": 24, "start": 9, "boot": "b", "pidns": 4, "machine": "m"}
        part = {"name": "2026-11-20-general-s-1.txt", "kind": "text", "bytes": 3, "sha256": "0" * 64, "lines": 1}
        manifest = record | {"archived_at": "2026-11-20T15:00:00.000000Z", "messages": 1, "tools": 0, "parts": [part],
                             "redacted": {}, "usage": None, "record": record}
        return [json.dumps(one).encode() for one in (record, owner, manifest)]
    if target == "pointer":
        return [b"s-1\n2026-11-20T14:27:52.467733\n", b"s-1\r\n2026-11-20 14:27\r\n", b"s-1\n20261120T142752Z\n"]
    if target == "config":
        return [b'capture = "full"\nttl = "24h"\n[archive]\nauto = false\n', b"max_concurrent_sessions = 3\n", b"2h 30m"]
    if target == "names":
        return [b"shop", b"fix/ci-337", b"issue/12", "日本".encode(), b"a\nb", b".."]
    return [bytes(range(96))]


def run(report, target, executions):
    corpus = ROOT / "fuzz/corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = ["cargo", "fuzz", "run", "-s", "none", "-O", target, "--", f"-runs={executions}", "-timeout=10",
               f"-max_len={LONGEST.get(target, 1024)}", "-print_final_stats=1", "-verbosity=0"]
    # This lets cargo-fuzz use the flags it needs with a stable toolchain.
    env = os.environ | {"RUSTC_BOOTSTRAP": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    stat = lambda name: int((re.findall(rf"stat::{name}:\s+(\d+)", ended.stderr) or ["0"])[-1])
    done, speed, memory = stat("number_of_executed_units"), stat("average_exec_per_sec"), stat("peak_rss_mb")
    if ended.returncode:
        said = re.findall(r"(?:panicked at .*|ERROR: libFuzzer: .*|could not compile.*)", ended.stderr)
        kept = re.findall(r"Test unit written to (\S+)", ended.stderr)
        report.fault(f"{target}: {' '.join(said[:2]) or ended.stderr[-500:]} {' '.join(kept)}")
    report.row(target, f"{done:,}", f"{'found a fault' if ended.returncode else 'nothing'}, {speed:,}/s, {memory} MiB")


def main():
    chosen = options(10_000_000, 100_000, "executions a target",
                     lambda parser: parser.add_argument("target", nargs="*", choices=[[], *TARGETS], default=[]))
    need("cargo")
    if not shutil.which("cargo-fuzz"):
        skip("cargo-fuzz is missing (cargo install cargo-fuzz --locked)")
    report = Report(chosen)
    report.seed = None
    for target in chosen.target or TARGETS:
        run(report, target, chosen.size)
    report.end()


main()
