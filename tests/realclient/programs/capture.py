"""capture.py LOG: a hook that records what the client fired, beside the hooks under test. Silent, status 0.

One write(2) on an O_APPEND descriptor for each call, so that hooks that run at the same time do not mix.
"""
import json
import os
import sys
import time

payload = json.loads(sys.stdin.buffer.read())
line = json.dumps({"at": time.time(), "pid": os.environ.get("CLAUDE_PID"), "payload": payload})
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(log, line.encode() + b"\n")
