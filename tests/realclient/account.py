"""What `ccsession` makes of a run's calls: of what the hooks recorded, of an import of the client's transcripts where
nothing is on record, and of one into a copy of the record.

Runs inside the run's namespaces, where it shows which clients are gone. It only asks; `calls_checks.py` judges.
"""
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from layout import Layout


def take(layout: Layout, environment: dict[str, str]) -> None:
    """Leaves `account.json`: `recorded`, and of either import its two `reports`, what it had `kept` after each, the
    `originals` before and after, and its `sessions`."""
    program = layout.local_bin / "ccsession"
    shutil.copytree(layout.state, layout.completed, symlinks=True)
    account = {"recorded": sessions(program, environment)}
    for state in (layout.imported, layout.completed):
        own = environment | {"CCSESSION_STATE_DIR": str(state)}
        if state == layout.imported:
            # No transcript tells of a process: only time makes an end of what it leaves open.
            own["CCSESSION_SESSION_TIMEOUT"] = "1ms"
        before = hashes(layout.transcripts)
        reports, kept = [], []
        for _ in range(2):
            reports.append(ask(program, own, "import", "--json"))
            kept.append(hashes(state / "sessions"))
        account[state.name] = {"reports": reports, "kept": kept, "originals": [before, hashes(layout.transcripts)],
                               "sessions": sessions(program, own)}
    layout.account.write_text(json.dumps(account))


def sessions(program: Path, environment: dict[str, str]) -> dict[str, dict]:
    """The timeline and the numbers of every session on record."""
    ids = sorted(folder.name for folder in Path(environment["CCSESSION_STATE_DIR"]).glob("sessions/*"))
    return {session_id: {verb: ask(program, environment, verb, session_id, "--json") for verb in ("timeline", "stats")}
            for session_id in ids}


def ask(program: Path, environment: dict[str, str], *arguments: str) -> dict:
    done = subprocess.run([str(program), *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    said = json.loads(done.stdout) if done.returncode == 0 else None
    return {"arguments": arguments, "status": done.returncode, "said": said, "stderr": done.stderr}


def hashes(folder: Path) -> dict[str, str]:
    """Each file below a folder by its content."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}
