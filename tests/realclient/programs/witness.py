"""witness.py LOG HOOK: runs a hook in place of the client and records what it printed and how it ended.

The hook reads the client's own stdin, and its output is passed on, so that the client behaves as without the witness.
"""
import json
import os
import subprocess
import sys

log_path, hook = sys.argv[1:]
done = subprocess.run([hook], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
line = json.dumps({"hook": os.path.basename(hook), "status": done.returncode,
                   "stdout": done.stdout.decode("utf-8", "replace"), "stderr": done.stderr.decode("utf-8", "replace")})
log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(log, line.encode() + b"\n")
sys.stdout.buffer.write(done.stdout)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
