"""capture.py LOG: a hook that records what the client fired, beside the hooks under test. Silent, status 0.

One write(2) on an O_APPEND descriptor for each call, so that hooks that run at the same time do not mix.
"""
import json
import os
import sys
import time


def above(pid: str) -> list[str]:
    """The processes above one, the nearest first; none of them where it has been killed meanwhile."""
    found = []
    while pid != "0" and os.path.exists(stat := f"/proc/{pid}/stat"):
        with open(stat) as file:
            pid = file.read().rpartition(")")[2].split()[1]
        found.append(pid)
    return found


payload = json.loads(sys.stdin.buffer.read())
pid = os.environ.get("CLAUDE_PID")
line = json.dumps({"at": time.time(), "pid": pid, "above": above(pid or "0"),
                   "project_dir": os.environ.get("CLAUDE_PROJECT_DIR"), "payload": payload})
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(log, line.encode() + b"\n")
