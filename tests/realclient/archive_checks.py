"""Checks the archives: each ended session is archived without anyone asking, whole, and with what was said.

The client's hook payloads say how a session ended, the scenario says what was said, and the client's transcripts say what
the copies must be.
"""
import difflib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import recording
from fake_api import signature_of
from layout import Layout, read_lines
from scenarios import Scenario
from scenarios.table import Kept

GOLDEN = Path(__file__).resolve().parents[1] / "data/archives"
ABANDONED = "abandoned"
ENDS = {"SessionStart", "UserPromptSubmit", "SessionEnd"}
# By how many seconds our hook and the capture hook of the same event may differ.
BESIDE = 5
# What a transcript must keep so that the client can resume it.
NEEDED = {"type", "uuid", "parentUuid", "logicalParentUuid", "sessionId", "id", "tool_use_id", "signature"}
HEAD = re.compile(r"={80}\nClaude Code Session Export\n(.*?)={80}\n\n", re.DOTALL)
MESSAGE = re.compile(r"\[(user|assistant)\]\n(.*?)\n\n(?=\[(?:user|assistant)\]\n|={80}\n)", re.DOTALL)
END = re.compile(r"\n={80}\nEnd of session \((\d+) messages\)\n={80}\Z")


def all_of(scenario: Scenario, layout: Layout) -> list[Iterator[str]]:
    account = json.loads(layout.account.read_text())["archived"]
    return [
        what_ended_was_archived_when_said(layout),
        every_ended_session_is_archived(scenario, layout, account),
        archives_are_whole(layout, account),
        texts_say_what_was_said(scenario, layout, account),
        copies_are_the_transcripts(layout, account),
        signatures_are_the_models(layout, account),
        clock_in_found_the_session(layout),
        texts_are_golden(scenario, layout),
    ]


def what_ended_was_archived_when_said(layout: Layout) -> Iterator[str]:
    """Checks which ends were archived at each step, and so what archived them: a session start, or a cleanup."""
    for look in read_lines(layout.archives_log):
        for which, wanted in (("ended", True), ("going", False)):
            for label in look[which]:
                listed = look["listed"].get(session_of(layout, label))
                if bool(listed) != wanted:
                    yield (f"{look['label']}: the end of the session of {label} must {'' if wanted else 'not '}be "
                           f"archived, `ccsession archive list` said {listed} ({layout.archives_log})")


def every_ended_session_is_archived(scenario: Scenario, layout: Layout, account: dict) -> Iterator[str]:
    """Checks, after one more cleanup, that the record and the manifest have the end that the client reported."""
    if account["cleanup"]["status"] != 0 or account["cleanup"]["stderr"]:
        yield f"`ccsession cleanup` said {account['cleanup']} ({layout.account})"
    found = manifests(account)
    kept = {session_of(layout, label): kept for label, kept in scenario.kept.items()}
    for path in sorted(layout.kept.glob("sessions/*/session.json")):
        session, record = path.parent.name, json.loads(path.read_text())
        if session not in found:
            # If there are several transcripts, only a person can say which one is meant.
            if len(transcripts(layout, session)) < 2:
                yield f"session {session} is not archived ({layout.kept}/archive)"
            continue
        at, reason = end_of(layout, session)
        # Under a launcher, the end is what the launcher notes after the client's own end.
        ended = seconds(record["ended_at"]) or 0
        is_right = ended == at and record["end_reason"] == reason
        if not (is_right or scenario.launched):
            said = f"ended at {record['ended_at']} by {record['end_reason']!r}"
            yield f"session {session}: the record says {said}, the client at {at} by {reason!r} ({path})"
        if session in kept and record["end_reason"] != kept[session].reason:
            yield f"session {session} ended by {record['end_reason']!r}, not {kept[session].reason!r} ({path})"
        if found[session]["ended_at"] != record["ended_at"] or not record["ended_at"]:
            ends = f"{found[session]['ended_at']}, the record {record['ended_at']}"
            yield f"session {session}: the manifest says that it ended at {ends} ({path})"


def end_of(layout: Layout, session: str) -> tuple[float, str]:
    """Returns when and how a session ended: when our hook received its end, else the time of its last event."""
    calls = [call for call in layout.fired() if call["payload"]["session_id"] == session]
    last = [call["payload"] for call in calls if call["payload"]["hook_event_name"] in ENDS][-1]
    reason = last.get("reason", ABANDONED)
    lines = [line for path, line in recording.journal_lines(layout) if path.parent.name == session]
    times = [seconds(line["ts"]) for line in lines if reason == ABANDONED or line["event"] == "SessionEnd"]
    at = max(times, default=0.0)
    if abs(calls[-1]["at"] - at) > BESIDE:
        raise ValueError(f"session {session} was last heard of at {at}, and by the client at {calls[-1]['at']}")
    return at, reason


def archives_are_whole(layout: Layout, account: dict) -> Iterator[str]:
    verified = account["verified"]
    whole = {"v": 1, "archives": len(manifests(account)), "faults": []}
    if [verified["status"], verified["said"], verified["stderr"]] != [0, whole, ""]:
        yield f"`ccsession archive verify` said {verified} ({layout.kept}/archive)"
    for archive in account["listed"]["said"]["archives"]:
        manifest, text = archive["manifest"], Path(archive["path"]).read_text()
        if not (HEAD.match(text) and (end := END.search(text))):
            yield f"the text has no head or no end ({archive['path']})"
            continue
        counts = [int(end[1]), manifest["messages"], len(MESSAGE.findall(text))]
        if len(set(counts[:2] if manifest["tools"] else counts)) > 1:
            yield (f"the text counts {counts[0]} messages, the manifest {counts[1]}, and {counts[2]} are there "
                   f"({archive['path']})")


def texts_say_what_was_said(scenario: Scenario, layout: Layout, account: dict) -> Iterator[str]:
    """Checks the text of the archive at the end, and the one from when the scenario clocked the session out."""
    paths = {archive["manifest"]["session_id"]: Path(archive["path"])
             for archive in account["listed"]["said"]["archives"]}
    for label, kept in scenario.kept.items():
        session, clocked_out = session_of(layout, label), layout.out / f"{label}.text"
        for path in (paths.get(session), clocked_out if clocked_out.exists() else None):
            if path:
                yield from sayings(path, session, kept)


def sayings(path: Path, session: str, kept: Kept) -> Iterator[str]:
    text = path.read_text()
    said = tuple(f"{who} {' '.join(words.split())}" for who, words in MESSAGE.findall(text))
    if said != kept.said:
        yield f"session {session}: the text says {said}, not {kept.said} ({path})"
    head, notes = HEAD.match(text)[1].splitlines(), [f"Note: {note}" for note in kept.notes]
    wanted = [f"Session ID: {session}", f"Role: {kept.role}", f"Focus: {kept.focus}"]
    if head[:3] != wanted or [line for line in head if line.startswith("Note: ")] != notes:
        yield f"session {session}: the head says {head}, not {wanted} with {notes} ({path})"


def copies_are_the_transcripts(layout: Layout, account: dict) -> Iterator[str]:
    """Checks that each restored archive has every file that the client keeps of its session, line by line, and byte for byte
    if no secret was redacted."""
    for session, manifest in manifests(account).items():
        copies = {Path(path).relative_to(layout.restored): Path(path)
                  for path in account["restored"][session]["files"]}
        originals = {path.relative_to(layout.transcripts): path for path in layout.transcripts.rglob("*")
                     if path.is_file() and session in str(path.relative_to(layout.transcripts))}
        if copies.keys() != originals.keys():
            names = f"{sorted(map(str, copies))}, the client has {sorted(map(str, originals))}"
            yield f"session {session}: the archive was restored to {names}: {account['restored'][session]}"
        for place in sorted(copies.keys() & originals.keys()):
            yield from differences(copies[place], originals[place], has_secrets=bool(manifest["redacted"]))
        yield from other_programs_read_the_same(layout, manifest, copies)


def differences(copy: Path, original: Path, has_secrets: bool) -> Iterator[str]:
    lines, copied = (path.read_text().split("\n") for path in (original, copy))
    if len(copied) != len(lines):
        yield f"{len(copied) - 1} lines were archived, {len(lines) - 1} are in the transcript ({copy}, {original})"
    for number, (line, kept) in enumerate(zip(lines, copied), 1):
        try:
            is_same = kept == line or has_secrets and needed(json.loads(kept)) == needed(json.loads(line))
        except ValueError as error:
            yield f"line {number} is not JSON: {error} ({copy})"
            continue
        if not is_same:
            yield f"line {number} is not what the client wrote ({copy}, {original})"


def needed(value: object, path: str = "") -> list[tuple[str, object]]:
    """Returns what the client needs in a line of a transcript, at any depth."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, child in children
            for found in ([(f"{path}/{name}", child)] if name in NEEDED else needed(child, f"{path}/{name}"))]


def other_programs_read_the_same(layout: Layout, manifest: dict, copies: dict[Path, Path]) -> Iterator[str]:
    """Checks that `zstd`, where it is installed, reads from each part what `ccsession` restored."""
    if shutil.which("zstd") is None:
        return
    for part in (part for part in manifest["parts"] if part.get("original") and part["kind"] != "meta"):
        [path] = layout.kept.glob(f"archive/*/{part['name']}")
        done = subprocess.run(["zstd", "-dcq", str(path)], stdin=subprocess.DEVNULL, capture_output=True)
        copy = copies.get(Path(part["original"]))
        if done.returncode != 0 or copy is None or done.stdout != copy.read_bytes():
            yield f"`zstd` does not read what was restored to {copy}: {done.stderr.decode()} ({path})"
        if done.stdout.count(b"\n") != part["lines"]:
            yield f"the manifest counts {part['lines']} lines, `zstd` {done.stdout.count(bytes([10]))} ({path})"


def signatures_are_the_models(layout: Layout, account: dict) -> Iterator[str]:
    """Checks that the archives have the signatures of the model's thinking: if one letter changes, the client cannot use it."""
    for request in read_lines(layout.api_log):
        session, thinking = request["session_id"], request["reply"].get("thinking")
        if thinking and session in account["restored"]:
            files = account["restored"][session]["files"]
            if not any(f'"signature":"{signature_of(thinking)}"' in Path(path).read_text() for path in files):
                yield f"session {session}: no archived transcript has the signature of {thinking!r} ({files})"


def clock_in_found_the_session(layout: Layout) -> Iterator[str]:
    """Checks that each `ccsession clock-in` printed the id of its session, both before the client started and within the session."""
    for path in layout.root.glob("*.clocked"):
        if set(path.read_text().split()) != {session_of(layout, path.stem)}:
            yield f"clock-in printed {path.read_text().split()}, it was {session_of(layout, path.stem)} ({path})"


def texts_are_golden(scenario: Scenario, layout: Layout) -> Iterator[str]:
    """Compares each text with its golden one, and writes it without ids, times and paths to `out/LABEL.golden`. If it changed for
    a good reason, read that file line by line and copy it over the golden one."""
    for label, name in scenario.golden.items():
        found, golden = layout.out / f"{label}.golden", GOLDEN / name
        text = recording.stable_text(layout, (layout.out / f"{label}.text").read_text())
        found.write_text(text.replace(layout.probe_command().replace(str(layout.root), "@RUN@"), "@PROBE@") + "\n")
        lines = [path.read_text().splitlines() if path.exists() else [] for path in (golden, found)]
        if diff := list(difflib.unified_diff(*lines, str(golden), str(found), lineterm="")):
            yield "\n".join(["an archive's text is not the golden one:", *diff])


def session_of(layout: Layout, label: str) -> str:
    """Returns the session in which a probe ran, as the client says."""
    return next(probe["session_id"] for probe in layout.probes() if probe["label"] == label)


def transcripts(layout: Layout, session: str) -> list[Path]:
    return list(layout.transcripts.rglob(f"{session}.jsonl"))


def manifests(account: dict) -> dict[str, dict]:
    return {archive["manifest"]["session_id"]: archive["manifest"]
            for archive in account["listed"]["said"]["archives"]}


def seconds(time: str | None) -> float | None:
    return time and datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
