"""capture.py LOG: a hook that records what the client fired, beside the hooks under test. Silent, status 0.

One write(2) on an O_APPEND descriptor for each call, so that hooks that run at the same time do not mix.
"""
import json
import os
import sys
import time

sys.path.append(os.path.dirname(__file__))
import tree

payload = json.loads(sys.stdin.buffer.read())
named = os.environ.get("CLAUDE_PID")
pid = tree.client() or named
line = json.dumps({"at": time.time(), "pid": pid, "is_named": pid == named, "above": tree.above(pid or "0"),
                   "project_dir": os.environ.get("CLAUDE_PROJECT_DIR"), "payload": payload})
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(log, line.encode() + b"\n")
