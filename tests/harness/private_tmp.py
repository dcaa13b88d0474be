#!/usr/bin/env python3
"""Puts the directory of the pointers on a separate file system: full, read-only, not sticky, another user's, or missing; and the
state on one that is full or has no inodes. The size is how many KiB of room are tried.

Hooks exit with 0 and print nothing, earlier data stays, nothing is left behind, and with room again the next event is recorded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from stage import Report, Stage, is_whole_pointer, need, options

EVENTS = [("SessionStart", {"source": "startup"}), ("UserPromptSubmit", {"prompt": "x"}),
          ("PreToolUse", {"tool_name": "Bash", "tool_use_id": "t1"}), ("Stop", {}), ("SessionEnd", {"reason": "other"})]


def mounted(dir, options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(dir)], check=True)


def fill(dir, free):
    """Fills a file system up to this many free bytes."""
    gap, filler = dir / "gap", dir / "filler"
    gap.write_bytes(b"x" * free)
    try:
        with open(filler, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass
    gap.unlink()
    return filler


def begun(stage):
    stage.swept()
    path = stage.transcript("old-1", lines=50)
    stage.hook("SessionStart", "old-1", source="startup", transcript_path=str(path))
    return stage


def play(report, stage, what, allowed=(0, 1)):
    before = (stage.state / "sessions/old-1/session.json").read_bytes()
    for name, more in EVENTS:
        done = stage.hook(name, "new-1", **more)
        report.check((done.returncode, done.stdout, done.stderr) == (0, b"", b""), f"{what}: {name}: {done}")
    for command in (["current"], ["store", "s-7"], ["clock-out", "old-1"], ["cleanup"], ["list"]):
        done = stage.ccsession(*command)
        report.check(done.returncode in allowed, f"{what}: {command}: {done}")
    now = (stage.state / "sessions/old-1/session.json").read_bytes()
    report.check(json.loads(now)["session_id"] == "old-1" and len(now) >= len(before) - 2, f"{what}: the record has changed")
    for path in stage.pointers.glob("claude_session_*"):
        report.check(is_whole_pointer(path) in ("old-1", "new-1", "s-7"), f"{what}: {path.name}: {path.read_bytes()[:80]!r}")


def end(report, stage, what):
    done = stage.hook("UserPromptSubmit", "old-1", prompt="x")
    report.check(done.returncode == 0, f"{what}: the next event: {done}")
    for command in (["clock-out", "old-1"], ["archive", "verify"], ["show", "old-1"]):
        done = stage.ccsession(*command)
        report.check(done.returncode == 0, f"{what}: {command} afterwards: {done.stderr.decode()}")
    for left in stage.leftovers():
        report.fault(f"{what}: left behind: {left}")


def inside(size, short):
    report = Report()
    for room in range(0, size, 4):
        stage = Stage()
        mounted(stage.pointers, "size=64k,nr_inodes=64,mode=1777")
        begun(stage)
        filler = fill(stage.pointers, room * 1024)
        play(report, stage, f"pointers with {room} KiB")
        filler.unlink()
        end(report, stage, f"pointers with {room} KiB")
    report.row("pointers in a full file system", f"{len(range(0, size, 4))} amounts of room", "")
    for room in range(0, size, 4):
        stage = Stage()
        mounted(stage.home, "size=1m,mode=0700")
        begun(stage)
        filler = fill(stage.home, room * 1024)
        play(report, stage, f"state with {room} KiB")
        filler.unlink()
        end(report, stage, f"state with {room} KiB")
    report.row("state in a full file system", f"{len(range(0, size, 4))} amounts of room", "")
    for inodes in range(0, 2 if short else 16):
        stage = begun(Stage())
        home = Path(str(stage.home) + ".before")
        stage.home.rename(home)
        stage.home.mkdir()
        mounted(stage.home, "size=4m,nr_inodes=200,mode=0700")
        subprocess.run(["cp", "-a", f"{home}/.", stage.home], check=True)
        files = []
        while True:
            path = stage.home / f"inode-{len(files)}"
            try:
                path.touch()
            except OSError:
                break
            files.append(path)
        for path in files[:inodes]:
            path.unlink()
        play(report, stage, f"{inodes} inodes free")
        for path in files[inodes:]:
            path.unlink()
        end(report, stage, f"{inodes} inodes free")
    report.row("state without inodes", f"{2 if short else 16} amounts", "")
    for what, options in (("read-only pointers", "ro,mode=1777"), ("pointers that are not sticky", "mode=0777"),
                          ("another user's pointers", "mode=0755,uid=65534")):
        stage = begun(Stage())
        mounted(stage.pointers, options)
        play(report, stage, what)
        subprocess.run(["umount", stage.pointers], check=True)
        end(report, stage, what)
        report.row(what, "1", "")
    stage = begun(Stage())
    stage.pointers.rename(stage.dir / "elsewhere")
    play(report, stage, "no pointers' directory")
    (stage.dir / "elsewhere").rename(stage.pointers)
    end(report, stage, "no pointers' directory")
    report.row("no pointers' directory", "1", "")
    report.rows = [(what, size, "as it must be" if not report.wrong else "see above") for what, size, _ in report.rows]
    report.end()


def main():
    if os.environ.get("CCSESSION_INSIDE"):
        chosen = options(64, 8, "KiB")
        os.environ["TMPDIR"] = "/run/ccsession-private"
        os.makedirs(os.environ["TMPDIR"], exist_ok=True)
        mounted(Path("/run/ccsession-private"), "mode=0755")
        return inside(chosen.size, chosen.short)
    options(64, 8, "KiB of room, in steps of four")
    need("unshare", "mount", root=True)
    command = ["unshare", "-m", sys.executable, *sys.argv]
    sys.exit(subprocess.run(command, env=os.environ | {"CCSESSION_INSIDE": "1"}).returncode)


main()
