"""probe.py LOG LABEL: run by the client's Bash tool. Records which session `ccsession` says it is in, and the pointer.

It prints the same in a run without ccsession, so that the conversations of both runs can be compared.
"""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SESSION = "CLAUDE_CODE_SESSION_ID"


def current(*arguments: str, **environment: str) -> dict:
    """What `ccsession current ARGUMENTS…` says in an environment."""
    done = subprocess.run(["ccsession", "current", *arguments], env=environment, capture_output=True, text=True)
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def pointer() -> dict | None:
    path = Path(os.environ["CCSESSION_POINTER_DIR"], "claude_session_project")
    try:
        return {"content": path.read_text(), "mode": oct(path.stat().st_mode & 0o7777)}
    except FileNotFoundError:
        return None


log, label = sys.argv[1:]
entry = {"label": label, "session_id": os.environ.get(SESSION), "pointer": pointer()}
if shutil.which("ccsession"):
    bare = {name: value for name, value in os.environ.items() if name != SESSION}
    entry["by_environment"] = current(**os.environ)
    entry["by_process"] = current("--json", **bare)
with open(log, "a") as file:
    file.write(json.dumps(entry) + "\n")
print("probe", label)
