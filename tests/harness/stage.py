"""What the recipes share: a temporary place to play in, clients that run hooks, and the table of results.

The programs come from CCSESSION_BIN_DIR (else target/debug). `with_programs` copies them to where other users can run them.
"""

import argparse
import contextlib
import datetime
import json
import os
import random
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("CCSESSION_BIN_DIR", ROOT / "target/debug")).resolve()
PROGRAMS = ["ccsession", "session-start", "pre-tool-use", "post-tool-use", "session-event"]
# How many seconds a command may take before it counts as hung.
PATIENCE = 120


def skip(why):
    """Ends a recipe that cannot run here. CI counts these lines."""
    print(f"skipped: {Path(sys.argv[0]).stem}: {why}")
    sys.exit(0)


def need(*tools, root=False):
    for tool in tools:
        if not shutil.which(tool):
            skip(f"`{tool}` is missing")
    if root and os.geteuid() != 0:
        skip("it needs root")
    if sys.platform != "linux":
        skip("it needs Linux")


def options(size, short, help_of_size, more=lambda parser: None):
    """Reads the command line that every recipe has: a size, or the short form for CI."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("size", nargs="?", type=int, default=None, help=f"{help_of_size} (default {size})")
    parser.add_argument("--short", action="store_true", help=f"the form of CI: {short}, at most ten seconds")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run")
    more(parser)
    found = parser.parse_args()
    if found.size is None:
        found.size = short if found.short else size
    found.seed = found.seed if found.seed is not None else random.SystemRandom().randrange(1 << 32)
    random.seed(found.seed)
    return found


class Report:
    """The results of a recipe. `end` prints them and exits with 1 if anything was wrong."""

    def __init__(self, options=None):
        self.rows, self.wrong, self.started = [], [], time.monotonic()
        self.seed = getattr(options, "seed", None)

    def row(self, what, size, result):
        self.rows.append((str(what), str(size), str(result)))

    def fault(self, text):
        """Notes something that must not happen. The first 20 are printed."""
        self.wrong.append(text)
        if len(self.wrong) <= 20:
            print(f"WRONG: {text}", file=sys.stderr, flush=True)

    def check(self, is_right, text):
        if not is_right:
            self.fault(text)
        return is_right

    def end(self):
        name = Path(sys.argv[0]).stem
        command = shlex.join(["just", f"harness-{name.replace('_', '-')}", *sys.argv[1:]])
        took = time.monotonic() - self.started
        seed = f", seed {self.seed}" if self.seed is not None else ""
        print(f"{datetime.date.today()}  `{command}`  {took:.0f} s{seed}\n")
        rows = [("what", "size", "result"), *self.rows, ("wrong", "", len(self.wrong))]
        for number, row in enumerate(rows):
            print("| " + " | ".join(map(str, row)) + " |")
            if number == 0:
                print("|---|---|---|")
        sys.exit(1 if self.wrong else 0)


def event(name, session, **more):
    return json.dumps({"hook_event_name": name, "session_id": session, **more})


def hook_for(name):
    if name == "SessionStart":
        return "session-start"
    if name == "PreToolUse":
        return "pre-tool-use"
    if name in ("PostToolUse", "PostToolUseFailure", "PostToolBatch"):
        return "post-tool-use"
    return "session-event"


class Stage:
    """HOME, state, pointers and a project `shop`, below one directory."""

    def __init__(self, at=None, user=0, archives=False):
        self.dir = Path(at or tempfile.mkdtemp(prefix="ccsession-harness-"))
        self.is_ours = at is None
        self.user, self.archives = user, archives
        os.umask(0o022)
        self.dir.chmod(0o755)
        self.home, self.state = self.dir / "home", self.dir / "home/state"
        self.pointers, self.project = self.dir / "pointers", self.dir / "shop"
        for path in (self.home, self.pointers, self.project):
            path.mkdir(exist_ok=True)
        self.home.chmod(0o700)
        self.pointers.chmod(0o1777)
        for path in (self.home, self.project):
            os.chown(path, user, user) if os.geteuid() == 0 else None
        self.bin = self.dir / "bin"

    def with_programs(self, binaries=BINARIES):
        """Copies the programs into the place, so that other users can run them."""
        self.bin.mkdir(exist_ok=True)
        for program in PROGRAMS:
            if not (binaries / program).exists():
                skip(f"`{binaries / program}` is missing; run cargo build")
            shutil.copy(binaries / program, self.bin / program)
        return self

    def program(self, name):
        own = self.bin / name
        return own if own.exists() else BINARIES / name

    def env(self, **more):
        made = {
            "HOME": self.home,
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "CCSESSION_STATE_DIR": self.state,
            "CCSESSION_POINTER_DIR": self.pointers,
            "TZ": "UTC0",
            "CLAUDE_PID": os.getpid(),
        }
        if not self.archives:
            made["CCSESSION_ARCHIVE_AUTO"] = "false"
        made.update(more)
        return {name: str(value) for name, value in made.items() if value is not None}

    def run(self, command, stdin="", user=None, patience=PATIENCE, cwd=None, **env):
        """Runs a command to its end. Kills one that hangs, and returns the status 124 for it."""
        command = [str(word) for word in command]
        user = self.user if user is None else user
        if user != os.geteuid():
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
        stdin = stdin if isinstance(stdin, bytes) else stdin.encode()
        try:
            return subprocess.run(command, input=stdin, capture_output=True, timeout=patience,
                                  env=self.env(**env), cwd=cwd or self.project)
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(command, 124, late.stdout or b"", late.stderr or b"hung")

    def ccsession(self, *arguments, **how):
        return self.run([self.program("ccsession"), *arguments], **how)

    def hook(self, name, session, before=(), user=None, patience=PATIENCE, env=None, **more):
        more.setdefault("cwd", str(self.project))
        return self.run([*before, self.program(hook_for(name))], stdin=event(name, session, **more), user=user,
                        patience=patience, **(env or {}))

    def transcript(self, session, lines=3):
        """Writes a transcript to where the client keeps it."""
        path = self.home / f".claude/projects/-shop/{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w") as file:
            for number in range(lines):
                message = {"role": "user", "content": f"{session} said {number}"}
                file.write(json.dumps({"type": "user", "sessionId": session, "uuid": f"{session}-{number}", "cwd": str(self.project),
                                       "timestamp": "2026-11-20T10:00:00.000Z", "message": message}) + "\n")
        return path

    def swept(self):
        """Marks a cleanup as just done, so that no session start leaves one running."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("sweep", "daily"):
            (self.state / name).touch(mode=0o600)
        if os.geteuid() == 0:
            for path in (self.state, self.state / "sweep", self.state / "daily"):
                os.chown(path, self.user, self.user)
        return self

    def record(self, session):
        return json.loads((self.state / "sessions" / session / "session.json").read_bytes())

    def leftovers(self):
        """Returns all temporary files of ours."""
        found = []
        for top in (self.home, self.pointers, self.project):
            for path in top.rglob(".ccsession-*"):
                found.append(str(path))
        return found

    def close(self):
        if self.is_ours:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client:
    """A process that runs hooks as its children, as Claude Code does: a shell that takes commands."""

    LOOP = 'while read -r line; do eval "$line"; echo "$?"; done'

    def __init__(self, stage, project=None):
        self.stage, self.project = stage, Path(project or stage.project)
        self.shell = subprocess.Popen(["/bin/sh", "-c", f"CLAUDE_PID=$$; export CLAUDE_PID; {self.LOOP}"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                      env=stage.env(CLAUDE_PID=None), cwd=self.project)

    def hook(self, name, session, **more):
        """Runs a hook and returns its status; None if the client was killed meanwhile."""
        payload = event(name, session, cwd=str(self.project), **more)
        program = shlex.quote(str(self.stage.program(hook_for(name))))
        return self.command(f"printf %s {shlex.quote(payload)} | {program}")

    def command(self, line):
        try:
            self.shell.stdin.write(line + "\n")
            self.shell.stdin.flush()
            said = self.shell.stdout.readline()
        except (BrokenPipeError, ValueError):
            return None
        return int(said) if said else None

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.shell.kill()
        self.shell.wait()
        for pipe in (self.shell.stdin, self.shell.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def is_whole_pointer(path):
    """Returns the id in a pointer; empty if it is not a valid pointer."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return ""
        lines = path.read_text().split("\n")
        datetime.datetime.fromisoformat(lines[1])
        return lines[0]
    except (OSError, ValueError, IndexError):
        return ""
