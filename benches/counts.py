#!/usr/bin/env python3
"""Counts the instructions and system calls of the programs as `install.sh` installs them, against benches/ceilings.md.

Times differ from machine to machine and from minute to minute; these counts do not. So a ceiling can be close to the count,
and CI notices a change that makes a hook 5 % more expensive.

Each run has its own HOME, state and pointer directory, and the same environment. It ends with a proof that the program did its
work. Valgrind (callgrind) counts the instructions, strace the system calls: only those of the process itself, without the
processes that it leaves running. Each count is made several times; the counts may differ by at most SPREAD.
"""

import argparse
import ctypes
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CEILINGS = ROOT / "benches/ceilings.md"
PAYLOADS = ROOT / "tests/data/payloads/events"
SESSION = "2f09356b-a939-40a2-8915-584394440829"
RECORDED_PROJECT = "/home/dev/shop"
# How many sessions are listed, and the pid of a client that is not above their hooks.
LISTED = 10
NOBODY = 4_000_000
# How far the counts of one program may differ, as a share: process ids have more or fewer digits, pages are mapped elsewhere.
SPREAD = 0.005
PATIENCE = 120


class Place:
    """HOME, state, pointers and a project, with a session that has just started in it."""

    def __init__(self, programs):
        self.programs = programs
        # The name always has the same length, because the length of paths affects the counts.
        self.dir = Path(tempfile.mkdtemp(prefix="ccsession-counts-", dir="/tmp"))
        self.state, self.project = self.dir / "state", self.dir / "shop"
        for path in (self.dir / "home", self.dir / "pointers", self.project / ".git/refs/heads"):
            path.mkdir(parents=True)
        (self.project / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (self.project / ".git/refs/heads/main").write_text("0123456789" * 4 + "\n")
        self.run(["session-event"], payload("SessionStart-startup"))
        # Marks a cleanup as done; otherwise a session start would start one.
        self.run(["ccsession", "cleanup"])

    def run(self, command, stdin=b"", before=(), prepare=None, client=None):
        """Runs a program to its end and returns what it printed. It must succeed and print nothing on stderr. `before` is the command
        line of a counter, `prepare` runs in the child first. Its client is this process, or `client`."""
        program, *arguments = command
        env = {
            "HOME": self.dir / "home",
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC0",
            "CCSESSION_STATE_DIR": self.state,
            "CCSESSION_POINTER_DIR": self.dir / "pointers",
            "CLAUDE_PROJECT_DIR": self.project,
            "CLAUDE_PID": client or os.getpid(),
            "CLAUDE_CODE_SESSION_ID": SESSION,
            "CLAUDECODE": "1",
        }
        env = {name: str(value) for name, value in env.items()}
        stdin = stdin.replace(RECORDED_PROJECT.encode(), str(self.project).encode())
        # A file, because the number of reads from a pipe depends on when it is filled.
        (self.dir / "stdin").write_bytes(stdin)
        with open(self.dir / "stdin", "rb") as file:
            done = subprocess.run([*before, self.programs / program, *arguments], stdin=file, capture_output=True, cwd=self.project,
                                  env=env, timeout=PATIENCE, preexec_fn=prepare)
        if done.returncode != 0 or done.stderr:
            raise Wrong(f"{' '.join(command)}: status {done.returncode}, {done.stderr.decode(errors='replace')[:500]}")
        return done.stdout.decode()

    def add_live_sessions(self):
        """Adds LISTED live sessions of 60 events, each with a transcript whose title is noted. No process owns them: they are live because
        of their last event two minutes ago. So the end of each journal is noted, too."""
        for number in range(LISTED):
            session = SESSION.replace("2f09356b", f"{number:08}")
            transcript = self.dir / "home/.claude/projects/shop" / f"{session}.jsonl"
            transcript.parent.mkdir(parents=True, exist_ok=True)
            said = {"type": "ai-title", "aiTitle": f"Webhook hunt {number}", "sessionId": session}
            transcript.write_text(json.dumps(said) + "\n")
            for program, name in [("session-start", "SessionStart-startup"), ("session-event", "UserPromptSubmit"),
                                  ("pre-tool-use", "PreToolUse-Bash"), ("post-tool-use", "PostToolUse-Bash")]:
                sent = {**json.loads(payload(name)), "session_id": session, "transcript_path": str(transcript)}
                self.run([program], json.dumps(sent).encode(), client=NOBODY)
            journal = self.state / "sessions" / session / "events.jsonl"
            lines = [line for line in journal.read_text().splitlines() if line]
            call = lines[-2:]
            for pair in range(28):
                lines += [re.sub(r'"tool_use_id":"[^"]*"', f'"tool_use_id":"toolu_{pair:03}"', line) for line in call]
            journal.write_text("".join(f"\n{line}\n" for line in lines))
            os.utime(journal, (time.time() - 120,) * 2)
        self.run(["ccsession", "list"])

    def journal(self):
        lines = (self.state / "sessions" / SESSION / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines if line]

    def close(self):
        shutil.rmtree(self.dir)


class Wrong(Exception):
    """A program did not do the work that is counted."""


def payload(name, output=None):
    """Returns a recorded payload on one line, as Claude Code sends it; with `output`, its tool output is this many bytes of source code."""
    found = json.loads((PAYLOADS / f"{name}.json").read_text())
    if output is not None:
        line = '    {"name": "value", "count": 12},\n'
        found["tool_response"]["stdout"] = (line * (output // len(line) + 1))[:output]
    return json.dumps(found).encode() + b"\n"


def hook(program, name, output=None):
    """Returns the case of a hook that adds a line to the journal."""
    def play(place, **how):
        sent = payload(name, output)
        before = len(place.journal())
        place.run([program], sent, **how)
        journal = place.journal()
        last = journal[-1]
        if len(journal) != before + 1 or last["event"] != name.split("-")[0] or last.get("incomplete"):
            raise Wrong(f"{program}: {name} is not on record: {last}")
    return play


def start(place, **how):
    """Runs the start of another session."""
    other = SESSION.replace("2f09356b", "2f09356c")
    place.run(["session-start"], payload("SessionStart-startup").replace(SESSION.encode(), other.encode()), **how)
    if not (place.state / "sessions" / other / "session.json").is_file():
        raise Wrong("session-start: the session is not on record")


def current(place, **how):
    if place.run(["ccsession", "current"], **how) != f"{SESSION}\n":
        raise Wrong("current: wrong answer")


def cleanup(place, **how):
    place.run(["ccsession", "cleanup", "--if-due"], **how)


def listing(place, **how):
    """Lists LISTED live sessions. One thread reads so few; strace counts only the calls of that thread."""
    place.add_live_sessions()
    listed = place.run(["ccsession", "list"], **how)
    for number in range(LISTED):
        if not re.search(rf"^active .*\bWebhook hunt {number} .*\bmain\b", listed, re.MULTILINE):
            raise Wrong(f"list: without session {number}: {listed}")


CASES = {
    "pre-tool-use": hook("pre-tool-use", "PreToolUse-Bash"),
    "post-tool-use": hook("post-tool-use", "PostToolUse-Bash"),
    "session-start": start,
    "prompt": hook("session-event", "UserPromptSubmit"),
    "current": current,
    "cleanup --if-due": cleanup,
    "list": listing,
    "post-tool-use, 100 kB": hook("post-tool-use", "PostToolUse-Bash", 100_000),
    "post-tool-use, 1 MB": hook("post-tool-use", "PostToolUse-Bash", 1_000_000),
}


def without_kernel_auxv():
    """Makes prctl(PR_GET_AUXV) fail in this process and its children.

    The kernel would answer with its own vdso, which valgrind has removed, and the program would jump there. If the call fails,
    the program reads /proc/self/auxv, for which valgrind answers.
    """
    prctl = {"x86_64": 157, "aarch64": 167}[platform.machine()]

    class Filter(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.POINTER(Filter))]

    load, equal, answer = 0x20, 0x15, 0x06
    # Compares the number of the call and the lower half of its first argument (PR_GET_AUXV). The two answers: allow, EINVAL.
    filters = (Filter * 6)(Filter(load, 0, 0, 0), Filter(equal, 0, 2, prctl), Filter(load, 0, 0, 16),
                           Filter(equal, 1, 0, 0x41555856), Filter(answer, 0, 0, 0x7FFF0000), Filter(answer, 0, 0, 0x00050016))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(seccomp, filter_mode, ctypes.byref(Program(6, filters)), 0, 0):
        raise OSError(ctypes.get_errno(), "could not install the filter")


def instructions(place, play):
    out, log = place.dir / "callgrind", place.dir / "valgrind"
    play(place, before=["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--log-file={log}"], prepare=without_kernel_auxv)
    return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE)[1])


def calls(place, play):
    log = place.dir / "strace"
    # -D: the program is our child, not strace's, as it would be the client's. Its execve and exit_group are not counted.
    play(place, before=["strace", "-D", "-qq", "-e", "signal=none", "-o", log])
    lines = log.read_text().splitlines()
    return sum(not line.startswith(("execve(", "exit_group(")) for line in lines)


def runs_here(program):
    """Returns whether a counter is installed and may trace, which a container may forbid."""
    return bool(shutil.which(program)) and subprocess.run([program, "true"], capture_output=True).returncode == 0


def count(programs, play, tool, runs):
    """Returns the smallest of several counts, which may differ by at most SPREAD."""
    found = []
    for _ in range(runs):
        place = Place(programs)
        try:
            found.append(tool(place, play))
        finally:
            place.close()
    least, most = min(found), max(found)
    if most - least > SPREAD * least:
        raise Wrong(f"the counts differ from run to run: {found}")
    return least


def ceilings():
    """Returns the ceilings of each case from ceilings.md: instructions, system calls."""
    rows = re.findall(r"^\| `([^`]+)` \| ([\d,]+) \| ([\d,]+) \|", CEILINGS.read_text(), re.MULTILINE)
    found = {case: tuple(int(number.replace(",", "")) for number in numbers) for case, *numbers in rows}
    if set(found) != set(CASES):
        sys.exit(f"{CEILINGS} and this program name different cases: {sorted(set(found) ^ set(CASES))}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("programs", type=Path, help="the folder that `./install.sh --build-only` prints")
    parser.add_argument("--runs", type=int, default=3, help="how often each is counted (default 3)")
    options = parser.parse_args()
    programs = options.programs.resolve()
    tools = {"instructions": ("valgrind", instructions), "system calls": ("strace", calls)}
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        sys.exit("skipped: counts: needs Linux on x86_64 or aarch64")
    os.umask(0o022)
    over = 0
    print(f"{'case':<24}{'what':<14}{'count':>12}{'ceiling':>12}")
    missing = {program for program, _ in tools.values() if not runs_here(program)}
    for case, limits in ceilings().items():
        for (what, (program, tool)), ceiling in zip(tools.items(), limits):
            if program in missing:
                continue
            try:
                found = count(programs, CASES[case], tool, options.runs)
            except (Wrong, subprocess.TimeoutExpired) as wrong:
                print(f"{case:<24}{what:<14}WRONG: {wrong}", flush=True)
                over += 1
                continue
            verdict = "OVER" if found > ceiling else "ok"
            over += found > ceiling
            print(f"{case:<24}{what:<14}{found:>12,}{ceiling:>12,}  {verdict}", flush=True)
    for program in sorted(missing):
        print(f"skipped: counts: `{program}` is missing, or may not trace here")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
