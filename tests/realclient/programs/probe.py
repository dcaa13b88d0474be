"""probe.py LOG LABEL [LABEL,…]: run by the client's Bash tool. Records which session `ccsession` says it is in, and the
pointer. The pointer must name the session of one of the probes in the list; without a list, this probe's own; with `-`, any.

The probe prints the same in a run without ccsession, so that the conversations of both runs can be compared.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(os.path.dirname(__file__))
import tree

SESSION = "CLAUDE_CODE_SESSION_ID"
# Without these, only the process tree can tell the session.
TELLING = (SESSION, "CCSESSION_ID", "CLAUDE_PID")


def current(*arguments: str, **environment: str) -> dict:
    """Returns what `ccsession current ARGUMENTS…` says in an environment."""
    command = [program, "current", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def pointer() -> dict | None:
    path = Path(os.environ["CCSESSION_POINTER_DIR"], "claude_session_project")
    try:
        return {"content": path.read_text(), "mode": oct(path.stat().st_mode & 0o7777)}
    except FileNotFoundError:
        return None


log, label, pointer_of = [*sys.argv[1:], ""][:3]
client = tree.client()
entry = {"at": time.time(), "label": label, "session_id": os.environ.get(SESSION),
         "pid": client or os.environ.get("CLAUDE_PID"), "client_runs": client is not None, "pointer": pointer(),
         "pointer_of": [] if pointer_of == "-" else (pointer_of or label).split(",")}
if program := shutil.which("ccsession"):
    bare = {name: value for name, value in os.environ.items() if name not in TELLING}
    entry["printed"] = current("--strict", **os.environ)
    entry["by_environment"] = current("--json", **os.environ)
    entry["by_process"] = current("--json", **bare)
with open(log, "a") as file:
    file.write(json.dumps(entry) + "\n")
print("probe", label)
