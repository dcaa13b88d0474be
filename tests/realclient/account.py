"""Records what `ccsession` says of a run's calls: as the hooks recorded them, after an import of the transcripts into an empty
state, and after one into a copy of the state; and what it archives in another copy.

Runs inside the run's namespaces, where `ccsession` can see which clients are gone. It only asks; `calls_checks.py` and
`archive_checks.py` judge.
"""
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from layout import Layout


def take(layout: Layout, environment: dict[str, str]) -> None:
    """Writes `account.json`: `recorded`, `archived`, and for each of the two imports its two `reports`, the hashes of the state
    `kept` after each, those of the `originals` before and after, and its `sessions`."""
    program = layout.local_bin / "ccsession"
    shutil.copytree(layout.state, layout.completed, symlinks=True)
    account = {"recorded": sessions(program, environment)}
    for state in (layout.imported, layout.completed):
        own = environment | {"CCSESSION_STATE_DIR": str(state)}
        if state == layout.imported:
            # Transcripts name no processes, so only this timeout ends what they leave open.
            own["CCSESSION_SESSION_TIMEOUT"] = "1ms"
        before = hashes(layout.transcripts)
        reports, kept = [], []
        for _ in range(2):
            reports.append(ask(program, own, "import", "--json"))
            kept.append(hashes(state / "sessions"))
        account[state.name] = {"reports": reports, "kept": kept, "originals": [before, hashes(layout.transcripts)],
                               "sessions": sessions(program, own)}
    account["archived"] = archived(layout, program, environment)
    layout.account.write_text(json.dumps(account))


def archived(layout: Layout, program: Path, environment: dict[str, str]) -> dict:
    """Returns what is archived in a copy of the state after one more cleanup, and the files to which each archive was `restored`."""
    pointers = layout.root / "kept-pointers"
    pointers.mkdir()
    shutil.copytree(layout.state, layout.kept, symlinks=True)
    own = environment | {"CCSESSION_STATE_DIR": str(layout.kept), "CCSESSION_POINTER_DIR": str(pointers)}
    account = {"cleanup": ask(program, own, "cleanup", "--json"),
               "listed": ask(program, own, "archive", "list", "--all", "--json"),
               "verified": ask(program, own, "archive", "verify", "--json"), "restored": {}}
    for archive in account["listed"]["said"]["archives"]:
        session = archive["manifest"]["session_id"]
        command = [str(program), "archive", "restore", session, "--to", str(layout.restored)]
        done = subprocess.run(command, env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        account["restored"][session] = {"files": done.stdout.splitlines(), "status": done.returncode,
                                        "stderr": done.stderr}
    return account


def export(layout: Layout, environment: dict[str, str]) -> None:
    """Writes what `ccsession export` prints as OpenTelemetry into the run's folder."""
    for signal, spans in (("traces", "auto"), ("traces", "always"), ("logs", "auto")):
        command = [str(layout.local_bin / "ccsession"), "export", "--all", "--format", "otlp-jsonl", "--signal", signal,
                   "--spans", spans, "--output", str(layout.exported(f"{signal}-{spans}"))]
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True)


def sessions(program: Path, environment: dict[str, str]) -> dict[str, dict]:
    """Returns the timeline and the stats of every session on record."""
    ids = sorted(folder.name for folder in Path(environment["CCSESSION_STATE_DIR"]).glob("sessions/*"))
    return {session_id: {verb: ask(program, environment, verb, session_id, "--json") for verb in ("timeline", "stats")}
            for session_id in ids}


def ask(program: Path, environment: dict[str, str], *arguments: str) -> dict:
    done = subprocess.run([str(program), *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    said = json.loads(done.stdout) if done.returncode == 0 else None
    return {"arguments": arguments, "status": done.returncode, "said": said, "stderr": done.stderr}


def hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file below a folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}
