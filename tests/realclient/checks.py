"""Checks what must hold after a scenario was played without our hooks, with them, and perhaps under a witness.

Each check yields one sentence for each fault, naming the event and the file; `problems` says of which run.
"""
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import archive_checks
import attention_checks
import calls_checks
import identity_checks
import recording
import telemetry_checks
from layout import Layout, read_lines
from scenarios import Scenario

HOOK_TROUBLE = re.compile(r"\bhooks?\b.{0,80}(error|failed|non-blocking|cancelled)", re.IGNORECASE)
NEVER_JOURNALED = "MessageDisplay"
# How much of a line a fault quotes, and how many faults of a check are shown.
SHOWN, MOST = 300, 6


def problems(scenario: Scenario, plain: Layout | None, ours: list[Layout]) -> list[str]:
    """Checks each run with our hooks against what was fired in it, and against the run without them, if there was one."""
    found = []
    for layout in ours:
        checks = [
            install_kept_the_rest(layout),
            scenario_did_its_work(scenario, layout),
            journal_is_exact(scenario, layout),
            nothing_went_wrong(layout),
            records_are_right(scenario, layout),
            state_is_private(layout),
            *identity_checks.all_of(scenario, layout),
            *calls_checks.all_of(scenario, layout),
            *archive_checks.all_of(scenario, layout),
            *attention_checks.all_of(scenario, layout),
            *telemetry_checks.all_of(scenario, layout),
            nothing_was_left(layout),
            client_saw_silent_hooks(layout),
        ]
        if plain:
            checks.append(client_did_the_same(plain, layout))
        if layout.witness_log.exists():
            checks.append(witness_saw_silent_hooks(scenario, layout))
        for faults in map(list, checks):
            if len(faults) > MOST:
                faults[MOST:] = [f"and {len(faults) - MOST} more of this kind"]
            found += [f"{scenario.name}/{layout.root.name}: {fault}" for fault in faults]
    return found


def registered(layout: Layout) -> set[str]:
    """Returns the events that `ccsession install` registered."""
    return {event for event, _ in layout.our_hooks(json.loads(layout.settings_installed.read_text()))}


def install_kept_the_rest(layout: Layout) -> Iterator[str]:
    before = json.loads(layout.settings_before.read_text())
    after = json.loads(layout.settings_installed.read_text())
    ours = [id(hook) for _, hook in layout.our_hooks(after)]
    for event, groups in after.get("hooks", {}).items():
        for group in groups:
            group["hooks"] = [hook for hook in group["hooks"] if id(hook) not in ours]
        after["hooks"][event] = [group for group in groups if group["hooks"]]
    after["hooks"] = {event: groups for event, groups in after["hooks"].items() if groups}
    if before != after:
        yield f"install changed more than its own hooks ({layout.settings_before}, {layout.settings_installed})"


def scenario_did_its_work(scenario: Scenario, layout: Layout) -> Iterator[str]:
    """Checks that the scenario's events happened. Otherwise a client that fires nothing, or an install that registers nothing, would pass."""
    seen = {call["payload"]["hook_event_name"] for call in layout.fired()}
    journaled = {line.get("event") for _, line in recording.journal_lines(layout)}
    for event in sorted(scenario.provokes):
        if event not in seen:
            yield f"{event}: the client never fired it, so the scenario did not do its work ({layout.fired_log})"
        elif event not in registered(layout):
            yield f"{event}: install did not register it ({layout.settings_installed})"
        elif event not in journaled:
            yield f"{event}: fired, and in no journal ({layout.state}/sessions)"


def journal_is_exact(scenario: Scenario, layout: Layout) -> Iterator[str]:
    """Checks that each firing of a registered event is journaled exactly once, in its session's journal, and nothing else is."""
    fired = recording.fired(layout, registered(layout))
    journaled = recording.journaled(layout)
    if scenario.doubled:
        fired += fired
    for key in sorted(fired.keys() | journaled.keys(), key=str):
        named = dict(key)
        if fired[key] != journaled[key] and named.get("event") not in scenario.uncertain:
            counts = f"fired {fired[key]}×, journaled {journaled[key]}×"
            yield f"{describe(key)}: {counts} ({journal_of(layout, named)})"
    for event, most in scenario.uncertain.items():
        count = sum(n for key, n in journaled.items() if dict(key).get("event") == event)
        if count > most:
            yield f"{event}: journaled {count}×, and cannot have fired more than {most}× ({layout.state}/sessions)"
    for path, line in recording.journal_lines(layout):
        if line.get("session_id") != path.parent.name:
            yield f"{line.get('event')}: session id {line.get('session_id')} in the journal of another ({path})"
        if line.get("event") == NEVER_JOURNALED:
            yield f"{NEVER_JOURNALED}: journaled ({path})"


def describe(key: tuple) -> str:
    named = dict(key)
    event = named.pop("event", "no event")
    return event + "".join(f" {name}={value}" for name, value in key if name in named)


def journal_of(layout: Layout, named: dict) -> Path:
    return layout.state / "sessions" / str(named.get("session_id")) / "events.jsonl"


def nothing_went_wrong(layout: Layout) -> Iterator[str]:
    for name in ("unattributed.jsonl", "hook-errors.jsonl"):
        path = layout.state / name
        if path.exists() and (text := path.read_text().strip()):
            yield f"{name} is not empty: {text[:SHOWN]} ({path})"


def records_are_right(scenario: Scenario, layout: Layout) -> Iterator[str]:
    starts = recording.session_starts(layout)
    for session_id, payload in starts.items():
        path = layout.state / "sessions" / session_id / "session.json"
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            yield f"SessionStart of {session_id} left no readable record: {error}"
            continue
        for name in ("session_id", "source", "transcript_path", "project", "previous", "parent"):
            value = payload.get(name)
            # The record was made before the client started, so it has no more than this.
            if record.get("source") in ("run", "clock-in") and scenario.launched:
                value = {"source": record["source"], "transcript_path": None}.get(name, value)
            if (recorded := record.get(name)) != value:
                yield f"SessionStart of {session_id}: the record's {name} is {recorded!r}, not {value!r} ({path})"
    for folder in layout.state.glob("sessions/*"):
        if folder.name not in starts:
            yield f"a record for {folder.name}, which no SessionStart named ({folder})"


def state_is_private(layout: Layout) -> Iterator[str]:
    for path in [layout.state, *layout.state.rglob("*")] if layout.state.exists() else []:
        mode, wanted = path.lstat().st_mode & 0o7777, 0o700 if path.is_dir() else 0o600
        if mode != wanted:
            yield f"mode {mode:04o}, not {wanted:04o} ({path})"


def nothing_was_left(layout: Layout) -> Iterator[str]:
    path = layout.out / "leftovers.json"
    for kind, found in json.loads(path.read_text()).items():
        if found:
            yield f"left behind, {kind}: {', '.join(found)} ({path})"


def client_saw_silent_hooks(layout: Layout) -> Iterator[str]:
    """Checks that the client reports no trouble with hooks. Its transcript has only those that print, fail or are cut short."""
    for path, report in recording.hook_reports(layout):
        if report.get("subtype") == "hook_response":
            silent = report["outcome"] == "success" and report["exit_code"] == 0 and not report["output"]
        elif report.get("subtype") == "stop_hook_summary":
            silent = not report["hookErrors"] and not report["hasOutput"]
        else:
            silent = False
        if not silent:
            event = report.get("hook_event") or report.get("hookEvent") or report.get("subtype")
            yield f"{event}: the client reports {json.dumps(report)[:SHOWN]} ({path})"
    for path in sorted([*layout.out.glob("*.screen"), *layout.out.glob("*.stderr")]):
        if trouble := HOOK_TROUBLE.search(path.read_text()):
            yield f"the client shows {trouble.group()!r} ({path})"


def witness_saw_silent_hooks(scenario: Scenario, layout: Layout) -> Iterator[str]:
    seen = read_lines(layout.witness_log)
    for entry in seen:
        if entry["status"] != 0 or entry["stdout"] or entry["stderr"]:
            said = f"stdout {entry['stdout']!r}, stderr {entry['stderr']!r}"
            yield f"{entry['hook']}: ended with {entry['status']}, {said} ({layout.witness_log})"
    fired = recording.fired(layout, registered(layout)).total()
    if abs(len(seen) - fired) > sum(scenario.uncertain.values()):
        yield f"{fired} hook calls fired, {len(seen)} witnessed ({layout.witness_log})"


def client_did_the_same(plain: Layout, layout: Layout) -> Iterator[str]:
    """Compares what the client printed and what it told the model with the run without our hooks."""
    without, with_ours = ({call["label"]: call for call in recording.calls(side)} for side in (plain, layout))
    if without.keys() != with_ours.keys():
        yield f"other calls of the client than without hooks: {sorted(with_ours)}, not {sorted(without)}"
        return
    for label, call in with_ours.items():
        if call["status"] != without[label]["status"]:
            yield f"{label}: the client ended with {call['status']}, without hooks with {without[label]['status']}"
        for stream in ("stdout", "stderr"):
            expected, printed = (recording.printed(side, label, stream) for side in (plain, layout))
            yield from differences(f"{label}: {stream}", expected, printed, layout.out / f"{label}.{stream}")
    expected, told = (Counter(recording.told(side)) for side in (plain, layout))
    yield from differences("the model was told", expected, told, layout.api_log)


def differences(what: str, expected: Counter, found: Counter, path: Path) -> Iterator[str]:
    missing, extra = list((expected - found).elements()), list((found - expected).elements())
    for kind, lines, others in (("only with our hooks", extra, missing), ("only without our hooks", missing, extra)):
        for line in sorted(lines):
            shared = max((len(os.path.commonprefix([line, other])) for other in others), default=0)
            begin = max(0, shared - SHOWN // 3)
            yield f"{what}, {kind}: {'…' * (begin > 0)}{line[begin:begin + SHOWN]} ({path})"
