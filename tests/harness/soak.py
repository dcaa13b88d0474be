#!/usr/bin/env python3
"""Runs twenty sessions that begin, work, are killed, resume and end, with a cleanup each minute. The size is minutes: 30, or
1440 for a day.

Each minute it counts our processes, the largest memory of a command, files, disk use and temporary files. At the end none of them
may have grown since the first third, and every archive must verify. Each client also asks `current`, which must always name the
client's own session.
"""

import json
import os
import random
import resource
import subprocess
import threading
import time
from pathlib import Path

from stage import Client, Report, Stage, options

SESSIONS = 20
PROJECTS = 4


class Worker(threading.Thread):
    """One user: a client and its sessions. Counts the answers of `current`."""

    def __init__(self, soak, number):
        super().__init__(daemon=True)
        self.soak, self.number = soak, number
        self.luck = random.Random(number * 7919 + soak.seed)
        self.counts = {"events": 0, "right": 0, "unknown": 0, "other": 0, "kills": 0, "sessions": 0}

    def run(self):
        stage = self.soak.stage
        project = stage.dir / f"project-{self.number % PROJECTS}"
        while not self.soak.is_over():
            session = f"w{self.number}-{self.counts['sessions']}"
            self.counts["sessions"] += 1
            path = stage.transcript(session, lines=3)
            client = Client(stage, project)
            self.soak.clients.append(client.shell.pid)
            client.hook("SessionStart", session, source="startup", transcript_path=str(path))
            for turn in range(self.luck.randrange(2, 12)):
                if self.soak.is_over():
                    break
                client.hook("UserPromptSubmit", session, prompt="go on")
                for call in range(self.luck.randrange(1, 6)):
                    use = {"tool_name": "Bash", "tool_use_id": f"t{turn}-{call}"}
                    client.hook("PreToolUse", session, **use)
                    client.hook("PostToolUse", session, tool_response={}, **use)
                    self.counts["events"] += 2
                self.ask(client, session)
                client.hook("Stop", session)
                self.counts["events"] += 2
                if self.luck.random() < 0.1:
                    self.counts["kills"] += 1
                    client.kill()
                    client = Client(stage, project)
                    client.hook("SessionStart", session, source="resume", transcript_path=str(path))
                time.sleep(self.luck.uniform(0, self.soak.pause))
            if self.luck.random() < 0.7:
                client.hook("SessionEnd", session, reason="other")
            client.kill()
            if self.luck.random() < 0.3:
                path.unlink(missing_ok=True)

    def ask(self, client, session):
        """Asks `current` below the client. The answer goes to a file, because the pipe carries the client's own output."""
        answer = self.soak.stage.dir / f"answer-{self.number}"
        client.command(f"{self.soak.stage.program('ccsession')} current >{answer}")
        said = answer.read_text().strip() if answer.exists() else ""
        kind = "right" if said == session else "unknown" if said == "unknown" else "other"
        self.counts[kind] += 1
        if kind != "right":
            self.soak.report.fault(f"current says {said!r} within {session}")


class Soak:
    def __init__(self, chosen):
        self.report, self.seed = Report(chosen), chosen.seed
        self.stage = Stage(archives=True)
        for number in range(PROJECTS):
            (self.stage.dir / f"project-{number}").mkdir()
        self.seconds = 8 if chosen.short else chosen.size * 60
        self.pause = 0.2 if chosen.short else 2.0
        self.until = time.monotonic() + self.seconds
        self.clients, self.samples = [], []
        # Short retention: old data is removed during the soak, so that disk use can stay level.
        env = self.stage.env
        kept = "1s" if chosen.short else "4m"
        self.stage.env = lambda **more: env(**{"CCSESSION_RETENTION_SESSIONS": kept, "CCSESSION_RETENTION_ARCHIVE": kept,
                                               "CCSESSION_SESSION_TIMEOUT": "2m", **more})

    def is_over(self):
        return time.monotonic() > self.until

    def processes(self):
        """Returns the processes that run one of our programs in this place."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command, env = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
            except OSError:
                continue
            if b"ccsession" in command.split(b"\0")[0] and str(self.stage.state).encode() in env:
                found.append(path.name)
        return found

    def clean(self):
        # Some work a cleanup does only once a day; here each cleanup does it.
        for stamp in ("daily", "sweep"):
            path = self.stage.state / stamp
            if path.exists():
                os.utime(path, (0, 0))
        done = self.stage.ccsession("cleanup", patience=900)
        if done.returncode:
            self.report.fault(f"cleanup: {done.stderr.decode()[-300:]}")

    def sample(self):
        paths = list(self.stage.state.rglob("*")) + list(self.stage.pointers.iterdir())
        old = time.time() - 30 * 60
        sizes = left = 0
        for path in paths:
            try:
                found = os.lstat(path)
            except OSError:
                continue
            sizes += found.st_blocks * 512
            left += path.name.startswith(".ccsession-tmp-") and found.st_mtime < old
        rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        self.samples.append((len(paths), sizes // 1024, rss, len(self.processes()), left))

    def play(self):
        workers = [Worker(self, number) for number in range(SESSIONS)]
        for worker in workers:
            worker.start()
        every = 2 if self.seconds < 60 else 60
        while not self.is_over():
            time.sleep(min(every, max(0.1, self.until - time.monotonic())))
            self.clean()
            self.sample()
        for worker in workers:
            worker.join(120)
        self.end(workers)

    def end(self, workers):
        report, stage = self.report, self.stage
        time.sleep(1)
        for command in (["archive", "verify"], ["list", "--all"], ["stats"]):
            done = stage.ccsession(*command, patience=900)
            report.check(done.returncode == 0 and not done.stderr, f"{command}: {done.stderr.decode()[-300:]}")
        archives = len(json.loads(stage.ccsession("archive", "list", "--all", "--json").stdout)["archives"])
        running = self.processes()
        report.check(not running, f"{len(running)} processes are left")
        total = {name: sum(worker.counts[name] for worker in workers) for name in workers[0].counts}
        report.row("played", f"{self.seconds // 60} min, {total['sessions']} sessions, {total['events']} events",
                   f"{total['kills']} clients killed, {archives} archives verify")
        report.row("current", f"{sum(total[name] for name in ('right', 'unknown', 'other'))} questions",
                   f"{total['right']} right, {total['unknown']} unknown, {total['other']} another's")
        third = max(1, len(self.samples) // 3)
        for at, name, slack in ((0, "files", 1.3), (1, "KiB on disk", 1.3), (2, "MiB of memory, the largest command", 1.5),
                                (3, "processes", 3.0)):
            early = [sample[at] for sample in self.samples[third // 2:third + 1]]
            late = [sample[at] for sample in self.samples[-third:]]
            first, last = max(early, default=0), max(late, default=0)
            # Until the first data is removed, there is more each minute.
            if self.seconds >= 20 * 60:
                report.check(last <= first * slack + 10, f"{name} grew from {first} to {last}")
            report.row(name, f"{len(self.samples)} samples", f"{first} in the first third, {last} in the last")
        report.row("temporary files older than half an hour", "", self.samples[-1][4] if self.samples else 0)
        errors = stage.state / "hook-errors.jsonl"
        lines = errors.read_text().splitlines() if errors.exists() else []
        report.row("errors of hooks", "", f"{len(lines)}" + (f", such as {json.loads(lines[-1]).get('what')}" if lines else ""))
        stage.close()
        report.end()


def main():
    Soak(options(30, 0, "minutes")).play()


main()
