"""stray.py LOG LABEL OF: run by a process that a session left behind. Records which session `ccsession` says it is in: with the
inherited variables, without those that name a session or a process, and by its pid. OF is a probe of the session that left it
behind: the answer may name no other session.
"""
import json
import os
import shutil
import subprocess
import sys
import time

TELLING = ("CLAUDE_CODE_SESSION_ID", "CCSESSION_ID", "CLAUDE_PID")


def current(*arguments: str, **environment: str) -> dict:
    """Returns what `ccsession current --json ARGUMENTS…` says in an environment."""
    command = [program, "current", "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


log, label, of = sys.argv[1:]
entry = {"at": time.time(), "label": label, "of": of, "is_at_terminal": os.isatty(0), "answers": {},
         "variables": {name: value for name, value in os.environ.items() if name.startswith(("CLAUDE", "CCSESSION"))}}
if program := shutil.which("ccsession"):
    bare = {name: value for name, value in os.environ.items() if name not in TELLING}
    entry["answers"] = {"environment": current(**os.environ), "project": current(**bare),
                        "pid": current("--pid", str(os.getpid()), **bare)}
with open(log, "a") as file:
    file.write(json.dumps(entry) + "\n")
