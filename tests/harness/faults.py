"""Disturbs one of our commands at one of its system calls, under strace: the scenarios, their calls, and what must hold afterwards.

`inject.py` makes the call fail, `kill.py` kills the process there.
"""

import collections
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from stage import PATIENCE, Stage, event, hook_for, is_whole_pointer

OLD, NEW = "old-1", "new-1"
# The loader and the allocator make the calls for memory and for starting; sleeping and exiting cannot fail.
NOT_OURS = set("""execve exit exit_group brk mmap munmap mprotect madvise mremap arch_prctl set_tid_address set_robust_list rseq
    prlimit64 rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack futex clock_nanosleep nanosleep sched_yield restart_syscall
    getpid gettid getppid geteuid getuid getegid getgid wait4 waitid sched_getaffinity""".split())
COMMANDS = {
    "session-start": ("hook", "SessionStart", NEW),
    "session-start (resume)": ("hook", "SessionStart", OLD),
    "pre-tool-use": ("hook", "PreToolUse", OLD),
    "pre-tool-use (first heard of)": ("hook", "PreToolUse", NEW),
    "post-tool-use": ("hook", "PostToolUse", OLD),
    "session-event (prompt)": ("hook", "UserPromptSubmit", NEW),
    "session-event (stop)": ("hook", "Stop", OLD),
    "session-event (end)": ("hook", "SessionEnd", OLD),
    "store": ("cli", "store", NEW),
    "current": ("cli", "current"),
    "clock-in": ("cli", "clock-in", "--session", OLD, "--note", "a note", "--quiet"),
    "clock-out": ("cli", "clock-out", OLD),
    "cleanup": ("cli", "cleanup"),
    "install": ("cli", "install"),
    "import": ("cli", "import"),
    "import (bundle)": ("cli", "import", "{home}/moved.bundle"),
    "export (bundle)": ("cli", "export", "--all", "--format", "bundle", "--output", "{home}/all.bundle"),
    "export (state)": ("cli", "export", "--all", "--format", "otlp-jsonl", "--state", "{home}/sent.jsonl"),
    "ship": ("cli", "ship"),
    "report": ("cli", "report", OLD, "--output", "{home}/report.html"),
    "delete": ("cli", "delete", "ended-1", "--yes"),
}
# `delete` treats a session whose files cannot be read as live.
REFUSALS = {"delete": (0, 1, 75)}
SETTINGS = '{\n  "model": "opus"\n}\n'


class Scenario:
    """A place with recorded sessions that can be reset, and a command to run there."""

    def __init__(self, name):
        self.name, (self.kind, *words) = name, COMMANDS[name]
        self.stage = Stage().swept()
        stage = self.stage
        self.words = [word.replace("{home}", str(stage.home)) for word in words]
        self.sink = Sink() if name == "ship" else None
        path = stage.transcript(OLD)
        stage.hook("SessionStart", OLD, source="startup", transcript_path=str(path))
        stage.hook("PreToolUse", OLD, tool_name="Bash", tool_use_id="t1")
        stage.transcript("ended-1")
        stage.hook("SessionStart", "ended-1", source="clear")
        stage.hook("UserPromptSubmit", "ended-1", prompt="go on")
        stage.hook("PreToolUse", "ended-1", tool_name="Bash", tool_use_id="e1")
        stage.hook("PostToolUse", "ended-1", tool_name="Bash", tool_use_id="e1", tool_response={})
        stage.hook("Stop", "ended-1")
        stage.hook("SessionEnd", "ended-1", env={"CCSESSION_ARCHIVE_AUTO": "true"}, reason="other")
        stage.hook("SessionStart", OLD, source="resume")
        settings = stage.home / ".claude/settings.json"
        settings.write_text(SETTINGS)
        settings.chmod(0o600)
        stale = stage.pointers / "claude_session_gone"
        stale.write_text("s-gone\n2026-01-01T00:00:00.000000\n")
        stale.chmod(0o600)
        os.utime(stale, (0, 1767225600))
        if name == "import":
            stage.transcript("past-1")
        if name == "import (bundle)":
            self.put_bundle(stage.home / "moved.bundle")
        if self.sink:
            config = stage.home / ".config/ccsession/config.toml"
            config.parent.mkdir(parents=True)
            config.write_text(f'[ship.sink]\nendpoint = "{self.sink.address}"\nprotocol = "http/json"\ncompression = "none"\n')
            config.chmod(0o600)
        for name in ("home", "pointers"):
            subprocess.run(["cp", "-a", stage.dir / name, stage.dir / f"{name}.before"], check=True)

    @staticmethod
    def put_bundle(path):
        """Writes a bundle of another machine, with one session."""
        with Stage() as other:
            other.swept()
            other.hook("SessionStart", "moved-1", source="startup", transcript_path=str(other.transcript("moved-1")))
            other.hook("SessionEnd", "moved-1", reason="other")
            other.ccsession("export", "--all", "--format", "bundle", "--output", path)

    def close(self):
        if self.sink:
            self.sink.close()
        self.stage.close()

    def reset(self):
        for name in ("home", "pointers"):
            shutil.rmtree(self.stage.dir / name, ignore_errors=True)
            subprocess.run(["cp", "-a", self.stage.dir / f"{name}.before", self.stage.dir / name], check=True)
        if self.sink:
            self.sink.spans.clear()
        # Otherwise a session start would start a cleanup in the background.
        for stamp in ("sweep", "daily"):
            os.utime(self.stage.state / stamp)

    def command(self):
        if self.kind == "hook":
            return [self.stage.program(hook_for(self.words[0]))]
        return [self.stage.program("ccsession"), *self.words]

    def payload(self):
        if self.kind != "hook":
            return ""
        more = {"source": "clear", "reason": "other", "tool_name": "Bash", "tool_use_id": "t2", "prompt": "x"}
        return event(self.words[0], self.words[1], cwd=str(self.stage.project), **more)

    def under_strace(self, *arguments):
        # With automatic archiving, a session start would start a cleanup, which would still run while the place is reset.
        return self.stage.run(["strace", "-f", "-qq", *arguments, *self.command()], stdin=self.payload(),
                              CCSESSION_ARCHIVE_AUTO="true" if self.kind == "cli" else "false")

    def calls(self):
        """Returns the calls that can fail, each as (name, its number among the thread's calls of that name)."""
        self.reset()
        trace = self.stage.dir / "trace"
        done = self.under_strace("-o", trace)
        assert done.returncode == 0, (self.name, done)
        counts, found, is_own = collections.Counter(), [], False
        for line in trace.read_text(errors="replace").splitlines():
            thread, _, rest = line.partition(" ")
            if not (match := re.match(r"\s*(\w+)\(", rest)):
                continue
            call = match[1]
            counts[thread, call] += 1
            # Calls before the program's own first one are the loader's.
            is_own = is_own or "F_GETFD" in rest or call == "poll"
            if is_own and call not in NOT_OURS:
                found.append((call, counts[thread, call]))
        return list(dict.fromkeys(found))

    def judge(self, done, is_killed, can_write=True):
        """Returns what is wrong after the command, and after the commands that follow."""
        stage, wrong = self.stage, []
        if not is_killed:
            allowed = (0,) if self.kind == "hook" else REFUSALS.get(self.name, (0, 1))
            # strace counts in each thread, so the fault for a later thread may hit the loader in the first.
            is_loader = b"error while loading shared libraries" in done.stderr
            if done.returncode not in allowed and not is_loader:
                wrong.append(f"status {done.returncode} {done.stderr.decode(errors='replace')[-200:]!r}")
            if self.kind == "hook" and (done.stdout or done.stderr):
                wrong.append(f"the hook prints: {done.stdout + done.stderr!r}")
            if self.kind == "cli" and done.returncode == 1 and can_write and b"ccsession: " not in done.stderr:
                wrong.append(f"it does not say why: {done.stderr!r}")
        wrong += self.standing()
        if self.kind == "cli":
            wrong += self.repeated(done)
        age(stage)
        if self.name in BESIDE_OTHERS:
            stage.run(self.command())
        for what, next_one in (("cleanup", stage.ccsession("cleanup", CCSESSION_ARCHIVE_AUTO="true")),
                               ("the next prompt", stage.hook("UserPromptSubmit", OLD, prompt="x")),
                               ("archive verify", stage.ccsession("archive", "verify")),
                               ("clock-out", stage.ccsession("clock-out", OLD)),
                               ("uninstall", stage.ccsession("uninstall"))):
            if next_one.returncode or (what != "cleanup" and next_one.stderr):
                wrong.append(f"{what} afterwards: {next_one.stderr.decode(errors='replace')[-200:]}")
        if (stage.home / ".claude/settings.json").read_text() != SETTINGS:
            wrong.append("the settings are not what they were")
        if left := stage.leftovers():
            wrong.append(f"left behind: {left[0]}")
        if stage.record(OLD)["session_id"] != OLD:
            wrong.append("the record is another's")
        for name in (OLD, NEW):
            path = stage.state / "sessions" / name / "session.json"
            if path.exists() and stage.record(name)["session_id"] != name:
                wrong.append(f"the record of {name} is another's")
        return wrong

    def repeated(self, done):
        """Returns what is wrong after running the same command again without a fault."""
        stage = self.stage
        if self.name not in OUTCOMES:
            return []
        torn = OUTCOMES_BEFORE.get(self.name, lambda _: [])(stage)
        again = stage.run(self.command(), CCSESSION_ARCHIVE_AUTO="true")
        if again.returncode and not (self.name == "delete" and b"could not find" in again.stderr):
            return [*torn, f"once more: status {again.returncode} {again.stderr.decode(errors='replace')[-200:]!r}"]
        return torn + OUTCOMES[self.name](self, done, again)

    def standing(self):
        """Checks that each file has the old value or the new one."""
        stage, wrong = self.stage, []
        before = stage.dir / "home.before/state/sessions" / OLD
        now = stage.state / "sessions" / OLD
        if not (now / "events.jsonl").read_bytes().startswith((before / "events.jsonl").read_bytes()):
            wrong.append("events are gone")
        try:
            stage.record(OLD)
        except ValueError:
            wrong.append("the record is torn")
        pointer = stage.pointers / "claude_session_shop"
        if pointer.exists() and is_whole_pointer(pointer) not in (OLD, NEW):
            wrong.append(f"the pointer is {pointer.read_bytes()!r}")
        settings = (stage.home / ".claude/settings.json").read_text()
        try:
            json.loads(settings)
        except ValueError:
            wrong.append(f"the settings are {settings[:60]!r}")
        return wrong


def age(stage):
    """Makes leftover files old enough for a cleanup to remove them."""
    old = time.time() - 25 * 60 * 60
    for path in map(Path, stage.leftovers()):
        os.utime(path, (old, old), follow_symlinks=False)
        if match := re.match(r"(\.ccsession-gone-\d+)-\d+-(.*)", path.name):
            # The name says by the boot clock when a pointer was set aside; this number means before the last boot.
            path.rename(path.with_name(f"{match[1]}-{2**64 - 1}-{match[2]}"))
    # A cleanup looks below the client's folder only once a day.
    for stamp in ("daily", "sweep"):
        path = stage.state / stamp
        if path.exists():
            os.utime(path, (old, old))


class Sink:
    """A collector that accepts everything and notes which spans it received."""

    def __init__(self):
        spans = self.spans = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                spans.update(spans_of(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that a fault ended does not read the answer.
        self.server.handle_error = lambda *_: None
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def spans_of(lines):
    """Returns the ids of the spans in OTLP requests, one request a line. Skips a line that a fault cut short."""
    found = set()
    for line in lines.splitlines():
        try:
            resources = json.loads(line).get("resourceSpans", [])
        except ValueError:
            continue
        for scope in (scope for resource in resources for scope in resource["scopeSpans"]):
            found.update(span["spanId"] for span in scope["spans"])
    return found


def all_spans(stage):
    """Returns the ids of all spans on record."""
    return spans_of(stage.ccsession("export", "--all", "--format", "otlp-jsonl").stdout)


def missing(what, expected, found):
    return [f"{what} lack {len(expected - found)} of {len(expected)} spans"] if not expected or expected - found else []


def is_on_record(session):
    return lambda scenario, _, __: ([] if scenario.stage.ccsession("show", session).returncode == 0
                                    else [f"{session} is not on record"])


def is_gone(session):
    """Checks that no file is named after the session, except the note that it was deleted."""
    def look(scenario, _, __):
        below = scenario.stage.state.rglob(f"*{session}*")
        return [f"{path} is left" for path in below if path.relative_to(scenario.stage.state).parts[0] != "deleted"]
    return look


def is_whole_bundle(stage):
    path = stage.home / "all.bundle"
    if path.exists() and stage.ccsession("import", "--dry-run", path).returncode:
        return ["the bundle is torn"]
    return []


def is_whole_page(stage):
    path = stage.home / "report.html"
    return ["the report is torn"] if path.exists() and not path.read_text().rstrip().endswith("</html>") else []


# Commands that write into folders that no cleanup visits, and remove what a killed run left there.
BESIDE_OTHERS = ("export (bundle)", "export (state)", "report")
# What must hold at once, and what must hold after running the same command again.
OUTCOMES_BEFORE = {"export (bundle)": is_whole_bundle, "report": is_whole_page}
OUTCOMES = {
    "import": is_on_record("past-1"),
    "import (bundle)": is_on_record("moved-1"),
    "export (bundle)": lambda scenario, _, __: is_whole_bundle(scenario.stage),
    "export (state)": lambda scenario, done, again: missing("both exports", all_spans(scenario.stage),
                                                            spans_of(done.stdout) | spans_of(again.stdout)),
    "ship": lambda scenario, _, __: missing("the sink", all_spans(scenario.stage), scenario.sink.spans),
    "report": lambda scenario, _, __: is_whole_page(scenario.stage),
    "delete": is_gone("ended-1"),
}
