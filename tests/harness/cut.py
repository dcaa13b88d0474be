#!/usr/bin/env python3
"""Simulates power cuts: shuts an ext4 file system down without flushing its log, after sessions have begun, gone on, ended, been
archived and been run, and the hooks have been installed. Then mounts it again, plays each session's next event, and checks that
everything acknowledged is there.

The mount options take turns: the defaults, noauto_da_alloc, nodelalloc, data=journal, commit=1.
"""

import contextlib
import fcntl
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import stage
from stage import Client, Report, Stage, is_whole_pointer, need, options, skip

MOUNTS = ["defaults", "noauto_da_alloc", "nodelalloc", "data=journal", "commit=1"]
# The ioctl that shuts ext4 down, and its flag: what is not on the disk yet never gets there.
EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
SETTINGS = '{\n  "model": "opus",\n  "permissions": {"allow": ["Bash(ls:*)"]}\n}\n'


class Disk:
    def __init__(self, place, mount):
        self.image, self.dir, self.mount = place / "image", place / "disk", mount
        # A new file each time: in another mount namespace, an earlier loop device may still be attached to the old one.
        self.image.unlink(missing_ok=True)
        with open(self.image, "xb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.dir.mkdir(exist_ok=True)
        self.attach()

    def attach(self):
        asked = ["mount", "-o", f"loop,{self.mount}", str(self.image), str(self.dir)]
        for _ in range(20):
            tried = subprocess.run(asked, capture_output=True, text=True)
            if tried.returncode == 0:
                return
            # Another program may attach loop devices at the same time.
            time.sleep(0.25)
        skip(f"`{' '.join(asked)}` fails here: {tried.stderr.strip()}")

    def cut(self):
        """Shuts the file system down, and goes on with a copy of what had reached the device.

        A copy is needed because another mount namespace may keep the old file system, which stays shut down.
        """
        fd = os.open(self.dir, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)
        after = self.image.with_suffix(".after")
        subprocess.run(["cp", "--sparse=always", self.image, after], check=True)
        after.replace(self.image)

    def detach(self):
        for _ in range(50):
            if subprocess.run(["umount", self.dir], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"could not unmount {self.dir}")


class Round:
    """What was done before a cut, and which of it was acknowledged."""

    def __init__(self, disk, report, number):
        self.disk, self.report, self.number = disk, report, number
        self.place = Stage(at=disk.dir)
        self.projects = [self.place.project, self.place.dir / "api"]
        self.projects[1].mkdir(exist_ok=True)
        (self.place.project / "stored").mkdir(exist_ok=True)
        self.clients, self.begun, self.ended, self.archived, self.run_ids = [], {}, set(), {}, set()
        self.is_installed = self.may_be_installed = False
        self.started, self.notes, self.stored = set(), {}, None
        self.running = []

    def fault(self, what):
        self.report.fault(f"{self.disk.mount}, round {self.number}: {what}")

    def before(self):
        settings = self.place.home / ".claude/settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(SETTINGS)
        settings.chmod(0o600)
        self.begin()
        os.sync()

    def begin(self):
        session = f"s-{self.number}-{len(self.begun)}"
        client = Client(self.place, random.choice(self.projects))
        self.clients.append(client)
        path = self.place.transcript(session)
        if client.hook("SessionStart", session, source="startup", transcript_path=str(path)) == 0:
            self.begun[session] = client
            self.started.add(session)

    def go_on(self):
        session, client = random.choice(list(self.begun.items()))
        client.hook("UserPromptSubmit", session, prompt="go on")
        client.hook("PreToolUse", session, tool_name="Bash", tool_use_id="t1", tool_input={"description": "look"})

    def late(self):
        """Begins a session whose first recorded event is a call."""
        session = f"s-{self.number}-{len(self.begun)}"
        client = Client(self.place, random.choice(self.projects))
        self.clients.append(client)
        client.hook("PreToolUse", session, tool_name="Bash", tool_use_id="t1")
        self.begun[session] = client

    def end(self):
        session = random.choice(list(self.begun))
        self.begun[session].hook("SessionEnd", session, reason="other")
        self.ended.add(session)

    def archive(self):
        session = random.choice(list(self.begun))
        done = self.place.ccsession("clock-out", session, "--json")
        if done.returncode == 0:
            self.archived[session] = json.loads(done.stdout)["manifest"]

    def install(self):
        self.may_be_installed = True
        self.is_installed |= self.place.ccsession("install").returncode == 0

    def run(self):
        session = f"r-{self.number}-{len(self.run_ids)}"
        self.run_ids.add(session)
        command = [self.place.program("ccsession"), "run", "--session-id", session, "--", "sleep", "60"]
        self.running.append(subprocess.Popen(list(map(str, command)), env=self.place.env(CLAUDE_PID=None),
                                             cwd=random.choice(self.projects), stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL, start_new_session=True))
        time.sleep(0.15)

    def note(self):
        session, note = random.choice(list(self.started)), f"note {random.random()}"
        if self.place.ccsession("clock-in", "--session", session, "--note", note, "--quiet").returncode == 0:
            self.notes.setdefault(session, []).append(note)

    def store(self):
        session = f"p-{random.randrange(1 << 30)}"
        if self.place.ccsession("store", session, "--project", self.place.project / "stored").returncode == 0:
            self.stored = session

    def clean(self):
        self.place.ccsession("cleanup")

    def play(self):
        acts = [self.begin] * 4 + [self.go_on] * 4 + [self.late, self.end, self.archive, self.archive, self.install, self.run,
                                                     self.clean, self.note, self.store]
        for _ in range(random.randrange(2, 8)):
            random.choice(acts)()
            if random.random() < 0.3:
                time.sleep(random.uniform(0, 0.6))
        if random.random() < 0.3:
            time.sleep(random.uniform(0, 3))

    def kill_all(self):
        for client in self.clients:
            client.kill()
        for launcher in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()

    def is_readable(self, session):
        try:
            return self.place.record(session)["session_id"] == session
        except (OSError, ValueError, KeyError):
            return False

    def count_lost(self):
        """Counts the sessions, unreadable records and empty pointers after the cut. They are no fault if the next event repairs them."""
        folders = list((self.place.state / "sessions").glob("*/"))
        lost = [folder.name for folder in folders if not self.is_readable(folder.name)]
        empty = [path for path in self.place.pointers.glob("claude_session_*") if not is_whole_pointer(path)]
        return len(folders), len(lost), len(empty)

    def check_acknowledged(self):
        """Checks that what was acknowledged is there before the next event."""
        for session in self.started - self.ended:
            if not self.is_readable(session):
                self.fault(f"the record of {session}, whose start was acknowledged, is not there")
        for session, notes in self.notes.items():
            there = json.dumps(self.place.record(session).get("notes")) if self.is_readable(session) else ""
            for note in notes:
                if note not in there:
                    self.fault(f"an acknowledged note of {session} is gone")
        if self.stored and is_whole_pointer(self.place.pointers / "claude_session_stored") != self.stored:
            self.fault("an acknowledged pointer is gone")

    def check_settings(self):
        path = self.place.home / ".claude/settings.json"
        text = path.read_text()
        try:
            has_hooks = "hooks" in json.loads(text)
        except ValueError:
            return self.fault(f"settings are {text[:80]!r}")
        if self.is_installed and not has_hooks:
            self.fault("an acknowledged install is gone")
        if not has_hooks and text != SETTINGS:
            self.fault("settings that were not installed have changed")
        if has_hooks and not self.may_be_installed:
            self.fault("settings were never installed")
        if self.may_be_installed:
            gone = self.place.ccsession("uninstall")
            if gone.returncode or path.read_text() != SETTINGS:
                self.fault(f"uninstall does not restore the settings: {gone.stderr.decode()}")

    def check_pointers(self):
        ids = set(self.begun) | self.run_ids
        for path in self.place.pointers.glob("claude_session_*"):
            named = is_whole_pointer(path)
            if named and named not in ids and named != self.stored:
                self.fault(f"the pointer names {named!r}")

    def check_current(self):
        for project in self.projects:
            answer = self.place.ccsession("current", cwd=project, CLAUDE_PID=None)
            ids = {session for session, client in self.begun.items() if client.project == project}
            said = answer.stdout.decode().strip()
            if answer.returncode or said not in ids | self.run_ids | {"unknown"}:
                self.fault(f"current says {said!r} in {project.name}: {answer.stderr.decode()}")

    def next_events(self):
        for session, before in self.begun.items():
            client = Client(self.place, before.project)
            self.clients.append(client)
            how = random.choice(["SessionStart", "UserPromptSubmit", "PreToolUse"])
            more = {"SessionStart": {"source": "resume"}, "UserPromptSubmit": {"prompt": "x"},
                    "PreToolUse": {"tool_name": "Bash", "tool_use_id": "t2"}}[how]
            if client.hook(how, session, **more) != 0:
                self.fault(f"{how} of {session} fails")
            if not self.is_readable(session):
                self.fault(f"{session} has no record after {how}")
            shown = self.place.ccsession("show", session)
            if shown.returncode:
                self.fault(f"show {session}: {shown.stderr.decode()}")

    def check_whole(self):
        cleaned = self.place.ccsession("cleanup")
        if cleaned.returncode:
            self.fault(f"cleanup: {cleaned.stderr.decode()}")
        verified = self.place.ccsession("archive", "verify")
        if verified.returncode or verified.stderr:
            self.fault(f"archive verify: {verified.stderr.decode()}")
        for session, manifest in self.archived.items():
            if not Path(manifest).exists():
                self.fault(f"the acknowledged archive of {session} is gone")
        for session in self.begun:
            done = self.place.ccsession("clock-out", session)
            if done.returncode:
                self.fault(f"clock-out {session}: {done.stderr.decode()}")
        for session in self.run_ids:
            done = self.place.ccsession("run", "--session-id", session, "--", "true", CLAUDE_PID=None)
            if done.returncode:
                self.fault(f"run with the id {session}, which nobody holds: {done.stderr.decode()}")
        listed = self.place.ccsession("list", "--all", "--json")
        if listed.returncode or listed.stderr:
            self.fault(f"list: {listed.stderr.decode()}")


def main():
    chosen = options(200, 5, "cuts")
    need("mkfs.ext4", "mount", "umount", root=True)
    report = Report(chosen)
    place = Path(tempfile.mkdtemp(prefix="ccsession-cut-"))
    stage.Path(place).chmod(0o755)
    totals = {mount: [0, 0, 0, 0, 0] for mount in MOUNTS}
    for number in range(chosen.size):
        mount = MOUNTS[number % len(MOUNTS)]
        disk = Disk(place, mount)
        try:
            now = Round(disk, report, number)
            now.before()
            now.play()
            disk.cut()
            now.kill_all()
            disk.detach()
            disk.attach()
            seen = now.count_lost()
            now.check_acknowledged()
            now.check_pointers()
            now.check_settings()
            now.next_events()
            now.check_current()
            now.check_whole()
            now.kill_all()
            counts = (1, *seen, len(now.archived))
            totals[mount] = [a + b for a, b in zip(totals[mount], counts)]
        finally:
            disk.detach()
    for mount, (cuts, folders, lost, empty, archives) in totals.items():
        report.row(f"ext4, {mount}", f"{cuts} cuts, {folders} sessions, {archives} archives",
                   f"{lost} records missing or empty, {empty} pointers empty, until the next event")
    report.end()


main()
