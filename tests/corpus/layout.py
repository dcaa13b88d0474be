"""A temporary home with transcripts in it, laid out as the client lays them out."""
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from counter import records

BESIDE = ("subagents", "tool-results")


@dataclass
class Files:
    """The files of one session."""
    name: str
    mains: list[Path] = field(default_factory=list)
    agents: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    # Subagents' transcripts in the folder of a project that does not have the session's own transcript.
    astray: list[Path] = field(default_factory=list)


def lay_out(source: Path, projects: Path) -> None:
    """Copies what is below `source`: each folder with transcripts becomes the folder of a project."""
    folders = {path.parent for path in source.rglob("*.jsonl") if not is_below_session(path.relative_to(source))}
    for folder in sorted(folders):
        name = re.sub(r"[^A-Za-z0-9]", "-", str(folder.relative_to(source))) if folder != source else "-corpus"
        place = projects / name
        place.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix == ".jsonl":
                shutil.copy2(path, place / path.name)
            elif path.is_dir() and (folder / f"{path.name}.jsonl").is_file():
                shutil.copytree(path, place / path.name, dirs_exist_ok=True)


def is_below_session(path: Path) -> bool:
    return any(part in BESIDE for part in path.parts[:-1])


def sessions(projects: Path) -> dict[str, Files]:
    """Returns the files of all sessions, by session id."""
    found: dict[str, Files] = {}
    for path in sorted(projects.glob("*/*.jsonl")):
        if path.name.startswith("agent-"):
            continue
        found.setdefault(path.stem, Files(path.stem)).mains.append(path)
    for files in found.values():
        for main in files.mains:
            for path in sorted(main.with_suffix("").rglob("*")):
                if not path.is_file():
                    continue
                is_agent = path.name.startswith("agent-") and path.suffix == ".jsonl"
                (files.agents if is_agent else files.others).append(path)
        # The largest is the session's own transcript; others may be copies of a part of it.
        files.mains.sort(key=lambda main: main.stat().st_size, reverse=True)
    for path in sorted(projects.glob("*/agent-*.jsonl")):
        if (files := found.get(session_in(path))) is not None:
            # Old clients put a subagent's transcript beside its session's.
            is_beside = any(main.parent == path.parent for main in files.mains)
            (files.agents if is_beside else files.astray).append(path)
    return found


def session_in(path: Path) -> str:
    with path.open("rb") as lines:
        for line, _ in zip(lines, range(20), strict=False):
            for record in records(line):
                if isinstance(record.get("sessionId"), str):
                    return record["sessionId"]
    return ""
