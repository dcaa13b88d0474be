"""Reads back the files of a run: what was fired, what was journaled, what the client printed and told the model.

Ids, times and paths differ between any two runs; `stable` removes these, and nothing else.
"""
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from layout import Layout, read_lines

# What identifies one firing of an event, besides the client's pid and the calls of a batch. First the fields of every event
# (payload field: journal field), then those of some events (same name in both).
IDENTITY = {"session_id": "session_id", "hook_event_name": "event", "prompt_id": "prompt_id", "agent_id": "agent_id",
            "tool_name": "tool", "tool_use_id": "tool_use_id"}
OWN_IDENTITY = {"SessionStart": ["source"], "SessionEnd": ["reason"], "PreCompact": ["trigger"],
                "PostCompact": ["trigger"], "Notification": ["notification_type"], "CwdChanged": ["new_cwd"],
                "PostModelSwitch": ["to_model"]}

# What differs between any two runs: ids, times, costs, sizes that depend on them, and the position of the cache marker.
VOLATILE_KEY = re.compile(r"uuids?$|timestamp|_ms$|duration|_seconds|end_time|cost|usd$|usage|request_id$|run_?id$"
                          r"|_tokens$|cache_control|messaging_socket_path", re.IGNORECASE)
VOLATILE_TEXT = [(re.compile(pattern), word) for pattern, word in [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"\b(toolu|msg|req)_fake\d+", r"\1_N"),
    (r"\ba[0-9a-f]{16}\b", "AGENT"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r"(duration_ms\W+)\d+", r"\1N"),
    # After a compaction the client tells the user and the model the command of each hook that ran. No hook can prevent
    # that, so it is not a difference.
    (r"\s*(\x1b\[2m)?(Pre|Post)Compact \[[^\]]*\] completed successfully(\x1b\[22m)?", ""),
]]


def stable(layout: Layout, value: object) -> object:
    """Returns a JSON value without what differs from run to run."""
    if isinstance(value, dict):
        return {key: stable(layout, child) for key, child in value.items() if not VOLATILE_KEY.search(key)}
    if isinstance(value, list):
        return [stable(layout, child) for child in value]
    return stable_text(layout, value) if isinstance(value, str) else value


def stable_text(layout: Layout, text: str) -> str:
    text = text.replace(str(layout.root), "@RUN@").replace(re.sub(r"[^A-Za-z0-9]", "-", str(layout.root)), "@RUN@")
    for pattern, word in VOLATILE_TEXT:
        text = pattern.sub(word, text)
    return text


def fired(layout: Layout, events: set[str]) -> Counter:
    """Returns how often the capture hook saw each firing of `events`, by identity."""
    counts = Counter()
    for call in layout.fired():
        payload = call["payload"]
        if payload["hook_event_name"] in events:
            common = {name: payload.get(key) for key, name in IDENTITY.items()}
            counts[identity(common, payload, payload.get("tool_calls", []), named_pid(call))] += 1
    return counts


def named_pid(call: dict) -> int | None:
    """Returns the pid that our hooks must have recorded: the client's, if the client sets `CLAUDE_PID`. Not all versions do."""
    return int(call["pid"]) if call["is_named"] else None


# Events of `ccsession run` and `ccsession clock-in`, which no client fires.
OWN_EVENTS = {"RunStart", "RunEnd", "ClockIn"}


def journaled(layout: Layout) -> Counter:
    """Returns how often each firing was journaled, by identity; the session is taken from the journal's folder."""
    counts = Counter()
    for path, line in journal_lines(layout):
        if line.get("event") in OWN_EVENTS:
            continue
        common = {name: line.get(name) for name in IDENTITY.values()} | {"session_id": path.parent.name}
        counts[identity(common, line, line.get("calls", []), line.get("pid"))] += 1
    return counts


def identity(common: dict, record: dict, batch: list[dict], pid: object) -> tuple:
    """Returns a key that is the same for a payload and a journal line of the same firing. Absent and empty values are the same."""
    named = common | {name: record.get(name) for name in OWN_IDENTITY.get(common["event"], [])}
    calls = sorted(call["tool_use_id"] for call in batch)
    return (*((name, value) for name, value in named.items() if value), *(("call", call) for call in calls),
            ("pid", int(pid or 0)))


def journal_lines(layout: Layout) -> Iterator[tuple[Path, dict]]:
    for path in sorted(layout.state.glob("sessions/*/events*.jsonl")):
        for line in read_lines(path):
            yield path, line


def session_starts(layout: Layout) -> dict[str, dict]:
    """Returns the first SessionStart payload of each session id, and what else the record must say.

    `project` is the repository that the client was started in; `previous`, after /clear and /branch, the client's session before;
    `parent` the session of the nearest client above this one.
    """
    starts, session_of_client = {}, {}
    for call in layout.fired():
        payload, client = call["payload"], call["pid"]
        if payload["hook_event_name"] == "SessionStart":
            outer = [session_of_client[pid] for pid in call["above"] if pid in session_of_client]
            beyond = {"project": project_of(Path(call["project_dir"])), "parent": outer[0] if outer else None,
                      "previous": session_of_client.get(client) if payload["source"] in ("clear", "fork") else None}
            starts.setdefault(payload["session_id"], payload | beyond)
            session_of_client[client] = payload["session_id"]
    return starts


def session_at(layout: Layout, client: str, at: float) -> str | None:
    """Returns the session that a client was in at a time."""
    begun = [call["payload"]["session_id"] for call in layout.fired() if call["pid"] == client and call["at"] <= at
             and call["payload"]["hook_event_name"] == "SessionStart"]
    return begun[-1] if begun else None


def project_of(directory: Path) -> dict[str, str]:
    root = next((path for path in (directory, *directory.parents) if (path / ".git").exists()), directory)
    return {"name": root.name, "root": str(root)}


def sessions_of_probe(layout: Layout, label: str) -> set[str]:
    """Returns the sessions in which the client says that it ran the probe: to the hooks, and in the header of its requests."""
    command = re.compile(rf"(probe\.py \S+|@PROBE@) {re.escape(label)}(?![\w-])")

    def runs_it(calls: list[dict]) -> bool:
        return any(command.search(str(call.get("input", {}).get("command"))) for call in calls)
    hooked = {call["payload"]["session_id"] for call in layout.fired()
              if runs_it([{"input": call["payload"].get("tool_input") or {}}])}
    asked = {request["session_id"] for request in read_lines(layout.api_log)
             if runs_it(request["reply"].get("calls", []))}
    return hooked | asked


def calls(layout: Layout) -> list[dict]:
    """Returns how each client ended: `label`, `command`, `status`, `seconds`, `pointer_left`."""
    return [{"label": path.stem, **json.loads(path.read_text())} for path in sorted(layout.out.glob("*.json"))
            if "status" in json.loads(path.read_text())]


def printed(layout: Layout, label: str, stream: str) -> Counter:
    """Returns the lines of a client's stdout or stderr without their order: parallel calls end in any order."""
    path = layout.out / f"{label}.{stream}"
    lines = Counter()
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            message = json.loads(line)
        except ValueError:
            message = line
        # The stream has a line for each hook that ran, so our hooks add lines. `hook_reports` returns those.
        if not (isinstance(message, dict) and str(message.get("subtype")).startswith("hook_")):
            lines[json.dumps(stable(layout, message), sort_keys=True)] += 1
    return lines


def hook_reports(layout: Layout) -> Iterator[tuple[Path, dict]]:
    """Yields what the client says in its stream and in its transcripts of hooks that ran, printed or failed."""
    for path in sorted(layout.out.glob("*.stdout")):
        for line in path.read_text().splitlines():
            if '"hook_response"' in line:
                yield path, json.loads(line)
    for path, line in transcript_lines(layout):
        attachment = line.get("attachment") or {}
        if str(attachment.get("type", "")).startswith("hook_") or line.get("subtype") == "stop_hook_summary":
            yield path, attachment or line


def transcript_lines(layout: Layout) -> Iterator[tuple[Path, dict]]:
    for path in sorted(layout.home.glob(".claude/projects/**/*.jsonl")):
        for line in read_lines(path):
            yield path, line


def told(layout: Layout) -> set[str]:
    """Returns every block that the client sent to the model."""
    blocks = set()
    for request in read_lines(layout.api_log):
        for message in request["messages"] or []:
            content = message["content"]
            for block in [content] if isinstance(content, str) else content:
                blocks.add(message["role"] + " " + json.dumps(stable(layout, block), sort_keys=True))
    return blocks
