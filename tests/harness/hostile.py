#!/usr/bin/env python3
"""Plays a hostile user who plants files where we look, against an ordinary user (uid 1000) and root.

For each plant and victim: `current` never names the attacker's session; `store`, the hooks and `cleanup` end at once and with their
documented statuses; no file of the attacker changes, and no file of the victim to which a plant leads. `--peer FILE` tries the
same with a Python helper that has get_stored_session_id, store_session_id and cleanup_stale_sessions, and lists both. The helper's
paths are in /tmp, so it runs in a private /tmp.
"""

import datetime
import os
import subprocess
import sys
import time
from pathlib import Path

from stage import ROOT, Report, Stage, need, options, skip

ATTACKER, VICTIMS = 65534, (1000, 0)
PYTHON = "/usr/bin/python3"
# The longest that an answer may take, in seconds with process start. A lease would block an ordinary open for 45 seconds.
AT_ONCE = 5.0

# What the attacker does, as a shell script: $P is the pointer's path, $OWN the attacker's folder, $MINE a file of the victim
# and $NOW the time.
ID = r"printf 'attacker\n%s\n' "
PLANTS = {
    "a pointer that all may read": ID + '"$NOW" >"$P"; chmod 644 "$P"',
    "a pointer that all may write": ID + '"$NOW" >"$P"; chmod 666 "$P"',
    "a pointer of its own alone": ID + '"$NOW" >"$P"; chmod 600 "$P"',
    "a stale pointer": ID + '2020-01-01T00:00:00 >"$P"',
    "garbage": 'echo garbage >"$P"; touch -d 2020-01-01 "$P"',
    "a terminal's escapes for an id": r"""printf '\033[2Jx\n%s\n' "$NOW" >"$P" """,
    "a path for an id": r"""printf '../../x\n%s\n' "$NOW" >"$P" """,
    "a link to a pointer of its own": ID + '"$NOW" >"$OWN/x"; ln -s "$OWN/x" "$P"',
    "a link to a file of the victim's": 'ln -s "$MINE" "$P"',
    "a link to nothing": 'ln -s "$OWN/nothing" "$P"',
    "a link to itself": 'ln -s "$P" "$P"',
    "a link to a folder": 'ln -s "$OWN" "$P"',
    "a link to /dev/zero": 'ln -s /dev/zero "$P"',
    "a link to its stdin": 'ln -s /proc/self/fd/0 "$P"',
    "a link to a FIFO": 'mkfifo "$OWN/x"; ln -s "$OWN/x" "$P"',
    "a hard link": ID + '"$NOW" >"$OWN/x"; ln "$OWN/x" "$P"',
    "a FIFO": 'mkfifo -m 666 "$P"',
    "a socket": f'{PYTHON} -c \'import os,socket; socket.socket(socket.AF_UNIX).bind(os.environ["P"])\'',
    "an empty directory": 'mkdir "$P"',
    "a full directory": 'mkdir "$P"; ' + ID + '"$NOW" >"$P/claude_session_shop"',
    "50 GB": ID + '"$NOW" >"$P"; truncate -s 50G "$P"',
}
HELD = {
    "a pointer under a lease": "fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
    "a pointer under a lock": "fcntl.flock(file, fcntl.LOCK_EX)",
}
HOLD = """import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(os.environ["P"], "w")
file.write("attacker\\n%s\\n" % os.environ["NOW"])
file.flush()
os.fchmod(file.fileno(), 0o644)
HOW
print("ready", flush=True)
sys.stdin.read()
"""
SWAP = """import contextlib, os
P, NOW, MINE = os.environ["P"], os.environ["NOW"], os.environ["MINE"]
def plain(mode):
    with open(P, "x") as file:
        file.write("attacker\\n%s\\n" % NOW)
    os.chmod(P, mode)
kinds = [lambda: plain(0o644), lambda: plain(0o666), lambda: os.symlink(MINE, P), lambda: os.symlink("/dev/zero", P),
         lambda: os.mkfifo(P), lambda: os.mkdir(P)]
print("ready", flush=True)
test = os.getppid()
while os.getppid() == test:
    for kind in kinds:
        with contextlib.suppress(OSError):
            kind()
        with contextlib.suppress(OSError):
            (os.rmdir if os.path.isdir(P) and not os.path.islink(P) else os.unlink)(P)
"""


def scene(top):
    """Returns each path below a folder with its mode, owner, inode, link count, size and change time."""
    found = {}
    for path in sorted(top.rglob("*")):
        seen = os.lstat(path)
        found[str(path)] = (seen.st_mode, seen.st_uid, seen.st_ino, seen.st_nlink, seen.st_size, seen.st_ctime_ns)
    return found


class Ours:
    name = "ccsession"

    def __init__(self, stage):
        self.stage = stage

    def get(self):
        ended = self.stage.ccsession("current", "--name", "shop", CLAUDE_PID=None)
        return ended.stdout.decode(errors="replace").strip() if ended.returncode == 0 else f"status {ended.returncode}"

    def store(self, session):
        return self.stage.ccsession("store", session, CLAUDE_PID=None).returncode in (0, 1)

    def cleanup(self):
        return self.stage.ccsession("cleanup", CLAUDE_PID=None).returncode in (0, 1)

    def answers_after_store(self):
        """Records the victim's session with hooks and asks for it. The state answers if the pointer cannot."""
        for name in ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"):
            ended = self.stage.hook(name, "s-victim", source="startup", tool_name="Bash", tool_use_id="t1", prompt="x")
            if (ended.returncode, ended.stdout, ended.stderr) != (0, b"", b""):
                return f"{name}: {ended.returncode} {ended.stderr.decode()}"
        return self.stage.ccsession("current").stdout.decode().strip()


class Peer:
    """A Python helper, as its hooks call it. Anything that it prints besides its answer reaches the model's context."""

    name = "the Python helper"

    def __init__(self, stage, source):
        self.stage, self.source = stage, source

    def call(self, what):
        script = f"import sys; sys.path.insert(0, {str(self.source.parent)!r}); import {self.source.stem} as peer; "
        script += f"print('answer', {what})"
        ended = self.stage.run([PYTHON, "-B", "-c", script], patience=AT_ONCE)
        if ended.returncode == 124:
            return "hangs"
        said = ended.stdout.decode(errors="replace").strip().split("answer ", 1)
        return said[1] if len(said) == 2 else f"status {ended.returncode}"

    def get(self):
        return self.call("peer.get_stored_session_id('shop')")

    def store(self, session):
        return self.call(f"peer.store_session_id({session!r}, 'shop')") != "hangs"

    def cleanup(self):
        return self.call("peer.cleanup_stale_sessions()") != "hangs"

    def answers_after_store(self):
        self.store("s-victim")
        return self.get()


class Attack:
    """A program of the attacker that runs beside the victim."""

    def __init__(self, stage, env, script):
        command = ["setpriv", f"--reuid={ATTACKER}", f"--regid={ATTACKER}", "--clear-groups", PYTHON, "-c", script]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
        self.process.stdout.readline()

    def end(self):
        self.process.kill()
        self.process.wait()


def prepared(victim, pointers):
    stage = Stage(user=victim)
    if pointers:
        stage.pointers = pointers
    else:
        stage.with_programs()
    stage.home.chmod(0o755)
    stage.swept()
    for name, owner in (("attacker", ATTACKER), ("victim", victim)):
        (stage.dir / name).mkdir()
        os.chown(stage.dir / name, owner, owner)
    mine = stage.dir / "victim/mine"
    mine.write_text("what the victim wrote\n")
    mine.chmod(0o644)
    os.chown(mine, victim, victim)
    env = stage.env() | {"P": str(stage.pointers / "claude_session_shop"), "OWN": str(stage.dir / "attacker"),
                         "MINE": str(mine), "NOW": datetime.datetime.utcnow().isoformat()}
    return stage, env


def failures(program, stage, env, prepare):
    """Returns what goes wrong for the victim, empty if nothing does, and the longest time that an answer took."""
    wrong, longest = [], 0.0
    attack = prepare()
    before = scene(stage.dir / "attacker"), scene(stage.dir / "victim")
    pointer = Path(env["P"])
    planted = os.lstat(pointer) if os.path.lexists(pointer) else None

    def at_once(what, act):
        nonlocal longest
        started = time.monotonic()
        answer = act()
        longest = max(longest, time.monotonic() - started)
        if time.monotonic() - started >= AT_ONCE or answer == "hangs":
            wrong.append(f"{what} hangs")
        return answer

    def believed(answer):
        return answer not in ("unknown", "s-victim", "s-7", "hangs")

    if believed(answer := at_once("get", program.get)):
        wrong.append(f"get answers {answer[:30]!r}")
    if not at_once("store", lambda: program.store("s-7")):
        wrong.append("store fails in an undocumented way")
    if not at_once("cleanup", program.cleanup):
        wrong.append("cleanup fails")
    after = os.lstat(pointer) if os.path.lexists(pointer) else None
    is_same = planted is not None and after is not None and (planted.st_ino, planted.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)
    if planted is not None and planted.st_uid != stage.user and not is_same:
        wrong.append("the other user's file was replaced or removed")
    answer = at_once("the session's own hooks", program.answers_after_store)
    if answer != "s-victim":
        wrong.append(f"the victim's own session is {answer[:40]!r}")
    if attack:
        attack.end()
    if (scene(stage.dir / "attacker"), scene(stage.dir / "victim")) != before:
        wrong.append("files of the victim's or the attacker's changed")
    return wrong, longest


def try_all(report, make, pointers=None):
    """Tries each plant on each victim. Returns how many were right, how many there were, the slowest, and what was wrong by plant."""
    right, count, slowest, found = 0, 0, 0.0, {}
    for victim in VICTIMS:
        for what in [*PLANTS, *HELD]:
            stage, env = prepared(victim, pointers)

            def prepare():
                if what in HELD:
                    return Attack(stage, env, HOLD.replace("HOW", HELD[what]))
                script = ["setpriv", f"--reuid={ATTACKER}", f"--regid={ATTACKER}", "--clear-groups", "/bin/sh", "-ec",
                          f"umask 022; {PLANTS[what]}"]
                done = subprocess.run(script, env=env, cwd=stage.dir / "attacker", capture_output=True)
                if done.returncode:
                    sys.exit(f"the attack `{what}` fails: {done.stderr.decode()}")
                return None

            wrong, longest = failures(make(stage), stage, env, prepare)
            slowest, count = max(slowest, longest), count + 1
            right += not wrong
            if wrong:
                found.setdefault(what, {})[victim] = wrong
            subprocess.run(["find", env["P"], "-depth", "-delete"], capture_output=True)
            stage.close()
    return right, count, slowest, found


def swap(report, rounds):
    """Asks while the attacker keeps exchanging what is at the pointer's path."""
    for victim in VICTIMS:
        stage, env = prepared(victim, None)
        ours, wrong = Ours(stage), 0
        attack = Attack(stage, env, SWAP)
        for _ in range(rounds):
            answer = ours.get()
            wrong += not report.check(answer == "unknown", f"swapped, uid {victim}: {answer}")
        attack.end()
        report.check((stage.dir / "victim/mine").read_text() == "what the victim wrote\n", "the victim's file changed")
        report.row(f"exchanged while we look, uid {victim}", f"{rounds} questions", f"{wrong} wrong")
        stage.close()


def inside(peer):
    """Tries the plants on the peer in a private /tmp, and prints a line for each that goes wrong."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"], check=True)
    right, count, slowest, found = try_all(None, lambda stage: Peer(stage, peer), Path("/tmp"))
    print(f"{right} of {count}")
    for what, victims in found.items():
        for victim, wrong in victims.items():
            print(f"{what}\t{victim}\t{'; '.join(wrong)}")


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--inside":
        return inside(Path(sys.argv[2]))
    chosen = options(1000, 20, "questions while the attacker exchanges what is there",
                     lambda parser: parser.add_argument("--peer", type=Path, help="a Python helper to try the same with"))
    need("setpriv", root=True)
    report = Report(chosen)
    report.seed = None
    if not Path(PYTHON).exists():
        skip(f"`{PYTHON}` is missing")
    right, count, slowest, found = try_all(report, Ours)
    for what, victims in found.items():
        for victim, wrong in victims.items():
            report.fault(f"{what}, uid {victim}: {'; '.join(wrong)}")
    report.row("plants before uid 1000 and root", f"{len(PLANTS) + len(HELD)} x 2", f"{right} of {count} right, the slowest {slowest * 1000:.0f} ms")
    swap(report, chosen.size)
    if chosen.peer:
        readable = Path("/dev/shm/ccsession-peer-source") / chosen.peer.name
        readable.parent.mkdir(exist_ok=True)
        readable.write_bytes(chosen.peer.read_bytes())
        command = ["unshare", "-m", sys.executable, __file__, "--inside", str(readable)]
        said = subprocess.run(command, capture_output=True, text=True)
        if said.returncode:
            skip(f"the peer cannot be tried: {said.stderr[-400:]}")
        first, *lines = said.stdout.splitlines()
        report.row("the same for the Python helper", f"{len(PLANTS) + len(HELD)} x 2", f"{first} right")
        by_plant = {}
        for line in lines:
            what, victim, wrong = line.split("\t")
            by_plant.setdefault((what, wrong), []).append(f"uid {victim}")
        for (what, wrong), users in by_plant.items():
            report.row(f"helper: {what}", ", ".join(users), wrong)
    report.end()


main()
