"""Checks the calls: each one that the client made is accounted for once, as it went, and none is still running.

The scripted API says which calls there were, because it gave them their ids. The client's hook payloads and transcripts say
how they went.
"""
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import recording
from layout import Layout, read_lines
from scenarios import Scenario

OK, FAILED, DENIED, ABANDONED, BACKGROUNDED = STATES = "ok", "failed", "denied", "abandoned", "backgrounded"
RUNNING = "running"
TASK = re.compile(r"^<task-notification>\s*<task-id>(\w+)</task-id>")
# The smallest limit that can be set for a journal, and the longest event, in bytes.
ROTATED_AT, LONGEST = 64 << 10, 128 << 10


@dataclass
class Called:
    """A call, as the client reports it."""
    session_id: str
    tool: str
    agent_id: str | None
    has_begun: bool = False
    # How the call ended; None if the client told no hook.
    state: str | None = None
    duration_ms: int | None = None
    background: str | None = None
    # Whether the client told the session that the call's background task has ended.
    is_over: bool = False
    spawned_agent: str | None = None

    @property
    def told(self) -> str | None:
        """The state that the hooks must have recorded; None if no hook was told of the call."""
        return self.state or (ABANDONED if self.has_begun else None)


def all_of(scenario: Scenario, layout: Layout) -> list[Iterator[str]]:
    account = json.loads(layout.account.read_text())
    recorded, completed = account["recorded"], account["completed"]["sessions"]
    called = of_client(layout)
    return [
        client_kept_what_it_was_told(layout, called),
        every_session_could_be_asked(layout, account),
        calls_are_as_the_client_told(layout, called, recorded),
        calls_are_as_the_scenario_says(scenario, layout, recorded),
        turns_are_the_prompts(layout, recorded),
        segments_are_the_clients(layout, recorded),
        subagents_are_below_their_callers(layout, recorded, completed, account["imported"]["sessions"]),
        *(numbers_are_the_timelines(layout, of) for of in (recorded, completed, account["imported"]["sessions"])),
        each_event_was_told_as_often_as_registered(scenario, layout, recorded),
        import_agrees_with_the_record(layout, called, recorded, account["imported"]["sessions"]),
        import_completes_the_record(layout, called, recorded, completed),
        *(import_is_repeatable(layout, account[where.name]) for where in (layout.imported, layout.completed)),
        tallies_were_right(layout),
        journals_are_rotated(scenario, layout),
        secrets_are_nowhere(scenario, layout),
    ]


def of_client(layout: Layout) -> dict[str, Called]:
    """Returns every call that the model made, by its id."""
    found = {call["id"]: Called(request["session_id"], call["tool"], request["agent_id"])
             for request in read_lines(layout.api_log) for call in request["called"]}
    for payload in (call["payload"] for call in layout.fired()):
        event, one = payload["hook_event_name"], found.get(payload.get("tool_use_id"))
        if event == "PostToolBatch":
            for batched in payload["tool_calls"]:
                one = found[batched["tool_use_id"]]
                # A call that ran already has a state from its own end event. A call that never began was not valid.
                one.state = one.state or (DENIED if one.has_begun else FAILED)
        elif event == "PreToolUse":
            one.has_begun = True
        elif event in ("PostToolUse", "PostToolUseFailure"):
            response = payload.get("tool_response")
            response = response if isinstance(response, dict) else {}
            is_async = response.get("isAsync")
            one.duration_ms, one.spawned_agent = payload["duration_ms"], response.get("agentId")
            one.background = response.get("backgroundTaskId") or (response.get("agentId") if is_async else None)
            one.state = FAILED if event == "PostToolUseFailure" else BACKGROUNDED if one.background else OK
    over = {(call["payload"]["session_id"], task) for call in layout.fired() for task in ended_tasks(call["payload"])}
    for one in found.values():
        one.is_over = (one.session_id, one.background) in over
    return found


def ended_tasks(payload: dict) -> list[str]:
    if payload["hook_event_name"] == "SubagentStop":
        return [payload["agent_id"]]
    return TASK.findall(payload["prompt"]) if payload["hook_event_name"] == "UserPromptSubmit" else []


def client_kept_what_it_was_told(layout: Layout, called: dict[str, Called]) -> Iterator[str]:
    """Checks that API and transcripts have the same calls. Otherwise the checks would look for a call that the client never saw, or miss one."""
    kept = {block["id"] for _, line in recording.transcript_lines(layout) for block in blocks_of(line)
            if block["type"] == "tool_use"}
    for what, ids in (("only the API has", called.keys() - kept), ("only the transcripts have", kept - called.keys())):
        if ids:
            yield f"calls that {what}: {sorted(ids)} ({layout.api_log})"


def every_session_could_be_asked(layout: Layout, account: dict) -> Iterator[str]:
    for where in (account["recorded"], account["imported"]["sessions"], account["completed"]["sessions"]):
        for answer in (answer for answers in where.values() for answer in answers.values()):
            if answer["status"] != 0 or answer["stderr"]:
                yield f"`ccsession {' '.join(answer['arguments'])}` said {answer} ({layout.account})"
            elif any(answer["said"]["damage"].get(kind) for kind in ("torn", "foreign", "newer")):
                yield f"`ccsession {' '.join(answer['arguments'])}` found {answer['said']['damage']} ({layout.account})"


def calls_are_as_the_client_told(layout: Layout, called: dict[str, Called], recorded: dict) -> Iterator[str]:
    timelines = calls_by_id(recorded)
    for call_id, one in called.items():
        found = timelines.pop(call_id, [])
        expected = [one.session_id, one.tool, one.agent_id, one.told, one.duration_ms, one.background,
                    one.spawned_agent, one.is_over]
        fields = ("tool", "agent_id", "state", "duration_ms", "background", "spawned_agent")
        shown = [[session_id, *(call[name] for name in fields), call["background_ended_at"] is not None]
                 for session_id, call in found]
        if shown != ([expected] if one.told else []):
            yield f"{call_id}: the timelines have {shown}, the client told {expected} ({layout.account})"
    if timelines:
        yield f"calls that nobody made: {sorted(map(str, timelines))} ({layout.account})"


def calls_by_id(sessions: dict) -> dict[str, list[tuple[str, dict]]]:
    """Returns every occurrence of each call in the timelines, with the session."""
    found = {}
    for session_id, answers in sessions.items():
        for call in answers["timeline"]["said"]["calls"]:
            found.setdefault(call["tool_use_id"], []).append((session_id, call))
    return found


def calls_are_as_the_scenario_says(scenario: Scenario, layout: Layout, recorded: dict) -> Iterator[str]:
    """Compares the calls with the scenario's count, which was made by hand. The checks above only compare two readings of one payload."""
    counts = Counter(f"{call['tool']} {call['state']}" for found in calls_by_id(recorded).values() for _, call in found)
    if scenario.calls and counts != scenario.calls:
        yield f"the calls were {dict(sorted(counts.items()))}, not {scenario.calls} ({layout.account})"
    running = {call_id for call_id, found in calls_by_id(recorded).items()
               if any(call["state"] == RUNNING for _, call in found)}
    if running:
        yield f"all clients are gone, and these calls are running: {sorted(running)} ({layout.account})"


def turns_are_the_prompts(layout: Layout, recorded: dict) -> Iterator[str]:
    """Checks that each prompt is there once, that notifications are marked as such, and that each turn is over."""
    given = {}
    for payload in (call["payload"] for call in layout.fired()):
        if payload["hook_event_name"] == "UserPromptSubmit":
            notifies = payload["prompt"].startswith("<task-notification>")
            given.setdefault(payload["session_id"], Counter())[payload["prompt_id"], notifies] += 1
    for session_id, answers in recorded.items():
        prompts = answers["timeline"]["said"]["prompts"]
        found = Counter((prompt["prompt_id"], prompt["notification"]) for prompt in prompts)
        if found != given.get(session_id, Counter()):
            yield f"{session_id}: the prompts are {found}, and {given.get(session_id)} were given ({layout.account})"
        if still := [prompt for prompt in prompts if prompt["end"] == "open" or not prompt["ended_at"]]:
            yield f"{session_id}: all clients are gone, and these turns are open: {still} ({layout.account})"


def segments_are_the_clients(layout: Layout, recorded: dict) -> Iterator[str]:
    """Checks that a session has a segment for each time that a client started or resumed it, and that each is over."""
    taken_up = {}
    for call in layout.fired():
        payload, pid = call["payload"], recording.named_pid(call)
        segments = taken_up.setdefault(payload["session_id"], [])
        if payload["hook_event_name"] == "SessionStart" and payload["source"] != "compact":
            segments.append([payload["source"], pid, None])
        elif payload["hook_event_name"] == "SessionEnd":
            next(segment for segment in reversed(segments) if segment[1] == pid)[2] = payload["reason"]
    for session_id, answers in recorded.items():
        segments = answers["timeline"]["said"]["segments"]
        found = [[segment[name] for name in ("source", "pid", "reason")] for segment in segments]
        if found != taken_up[session_id]:
            yield f"{session_id}: the segments are {found}, the clients' {taken_up[session_id]} ({layout.account})"
        if not all(segment["ended_at"] for segment in segments):
            yield f"{session_id}: all clients are gone, and a segment is open: {segments} ({layout.account})"


def subagents_are_below_their_callers(layout: Layout, *views: dict) -> Iterator[str]:
    """Checks each subagent against the client's own note beside the subagent's transcript."""
    notes = {path.name.removeprefix("agent-").removesuffix(".meta.json"): (path, json.loads(path.read_text()))
             for path in layout.transcripts.glob("*/*/subagents/*.meta.json")}
    for view in views:
        found = {}
        for answers in view.values():
            for agent in answers["timeline"]["said"]["agents"]:
                found.setdefault(agent["agent_id"], []).append(agent)
            if still := [agent for agent in answers["timeline"]["said"]["agents"] if not agent["ended_at"]]:
                yield f"all clients are gone, and these subagents have not ended: {still} ({layout.account})"
        for agent_id, (path, note) in notes.items():
            expected = [[note["agentType"], note.get("parentAgentId"), note["toolUseId"]]]
            shown = [[agent["agent_type"], agent["parent"], agent["tool_use_id"]] for agent in found.pop(agent_id, [])]
            if shown != expected:
                yield f"subagent {agent_id}: the timelines have {shown}, the client noted {expected} ({path})"
        if found:
            yield f"subagents that the client does not know: {sorted(found)} ({layout.account})"


def numbers_are_the_timelines(layout: Layout, sessions: dict) -> Iterator[str]:
    for session_id, answers in sessions.items():
        timeline, stats = answers["timeline"]["said"], answers["stats"]["said"]
        calls = timeline["calls"]
        expected = {"events": timeline["events"], "duplicates": timeline["duplicates"], "calls": len(calls),
                    "agents": len(timeline["agents"]), "compactions": len(timeline["compactions"]),
                    "prompts": sum(not prompt["notification"] for prompt in timeline["prompts"]),
                    "total_ms": sum(call["duration_ms"] or 0 for call in calls), "open": 0}
        expected |= {state: sum(call["state"] == state for call in calls) for state in (FAILED, ABANDONED)}
        if found := {name: stats[name] for name, value in expected.items() if stats[name] != value}:
            yield f"stats of {session_id} say {found}, the timeline {expected} ({layout.account})"
        if sum(stats["hours"]) != len(calls):
            yield f"stats of {session_id} have {sum(stats['hours'])} calls by hour, not {len(calls)} ({layout.account})"
        by_tool = Counter((call["tool"], call["state"]) for call in calls)
        told = Counter({(tool["tool"], state): tool[state] for tool in stats["tools"] for state in (*STATES, RUNNING)})
        if by_tool != told:
            yield f"stats of {session_id} say {+told}, the timeline {by_tool} ({layout.account})"


def each_event_was_told_as_often_as_registered(scenario: Scenario, layout: Layout, recorded: dict) -> Iterator[str]:
    for session_id, answers in recorded.items():
        said = answers["timeline"]["said"]
        if said["duplicates"] != (said["events"] // 2 if scenario.doubled else 0):
            yield f"{said['duplicates']} of {said['events']} events of {session_id} were duplicates ({layout.account})"


def import_agrees_with_the_record(layout: Layout, called: dict[str, Called], recorded: dict,
                                  imported: dict) -> Iterator[str]:
    timelines, of_hooks, results = calls_by_id(imported), calls_by_id(recorded), results_by_id(layout)
    for call_id, one in called.items():
        found, result = timelines.pop(call_id, []), results.get(call_id)
        state = one.state if one.state and is_an_end(result) else state_by(result)
        expected = [one.session_id, one.tool, one.agent_id, state, one.background]
        shown = [[session_id, *(call[name] for name in ("tool", "agent_id", "state", "background"))]
                 for session_id, call in found]
        if shown != [expected]:
            yield f"{call_id}: imported as {shown}, the client told hooks {expected} ({layout.account})"
        # The hooks are told of an invalid call only in a batch, which has no labels.
        labels = {call["what"] for _, call in (*found, *of_hooks.get(call_id, [])) if call["closed"] != "by_batch"}
        if len(labels) > 1:
            yield f"{call_id}: labelled {sorted(map(str, labels))} by hooks and by import ({layout.account})"
    if timelines:
        yield f"imported calls that nobody made: {sorted(map(str, timelines))} ({layout.account})"
    for session_id, answers in recorded.items():
        other = imported.get(session_id)
        for name in ("prompts", "agents", "compactions"):
            counts = [answer and answer["stats"]["said"][name] for answer in (answers, other)]
            if other and counts[0] != counts[1]:
                yield f"{session_id}: {counts[0]} {name} recorded, {counts[1]} imported ({layout.account})"


def results_by_id(layout: Layout) -> dict[str, dict]:
    """Returns the line of each call's result in the transcripts."""
    found = {}
    for _, line in recording.transcript_lines(layout):
        for block in blocks_of(line):
            # If another process resumes the session during a call, it notes the call as lost.
            if block["type"] == "tool_result" and not is_an_end(found.get(block["tool_use_id"])):
                found[block["tool_use_id"]] = line
    return found


def is_an_end(result: dict | None) -> bool:
    """Returns whether a real result came back. A killed client may not have written it; then the next client notes the call as interrupted."""
    return result is not None and result.get("toolDenialKind") != "interrupted"


def state_by(result: dict | None) -> str:
    """Returns a call's state by the transcript, for a call whose end no hook was told."""
    if is_an_end(result) and result.get("toolDenialBeforeRun"):
        return DENIED
    # After Esc there is no real result. A subagent's command that ends with the client has a result, but no hook is told of it.
    if not is_an_end(result) or result.get("toolDenialKind"):
        return ABANDONED
    [block] = blocks_of(result)
    return FAILED if block.get("is_error") else OK


def blocks_of(line: dict) -> list[dict]:
    if line.get("type") not in ("user", "assistant"):
        return []
    content = (line.get("message") or {}).get("content")
    return content if isinstance(content, list) else []


def import_completes_the_record(layout: Layout, called: dict[str, Called], recorded: dict,
                                completed: dict) -> Iterator[str]:
    """Checks that an import adds to what hooks recorded only the calls that no hook was told of."""
    before, after = calls_by_id(recorded), calls_by_id(completed)
    for call_id in called:
        if call_id in before:
            # When a call was interrupted, or when its background task ended, only the transcript may say.
            (was, now) = ([[session_id, stable(call)] for session_id, call in view.get(call_id, [])]
                          for view in (before, after))
            if was != now:
                yield f"{call_id}: {was} recorded, {now} after an import ({layout.account})"
        elif len(after.get(call_id, [])) != 1:
            yield f"{call_id}: no hook was told of it, and after an import there is {after.get(call_id)} ({layout.account})"
    for session_id, answers in recorded.items():
        for name in ("prompts", "agents", "compactions", "duplicates"):
            counts = [answer["stats"]["said"][name] for answer in (answers, completed[session_id])]
            if counts[0] != counts[1]:
                yield f"{session_id}: {counts[0]} {name} recorded, {counts[1]} after an import ({layout.account})"


def stable(call: dict) -> dict:
    is_inferred = call["closed"] not in ("by_itself", "by_batch")
    hidden = {"background_ended_at"} | ({"ended_at", "elapsed_ms", "permission_ms", "closed"} if is_inferred else set())
    return {name: value for name, value in call.items() if name not in hidden}


def import_is_repeatable(layout: Layout, account: dict) -> Iterator[str]:
    first, again = account["reports"]
    for report in (first, again):
        if report["status"] != 0 or report["stderr"]:
            yield f"`ccsession import` said {report} ({layout.account})"
    if again["said"]["events"] or again["said"]["imported"]:
        yield f"the second import imported something: {again['said']} ({layout.account})"
    if account["kept"][0] != account["kept"][1]:
        yield f"the second import changed what the first had made ({layout.account})"
    if account["originals"][0] != account["originals"][1] or not account["originals"][0]:
        yield f"an import changed the transcripts ({layout.account})"


def tallies_were_right(layout: Layout) -> Iterator[str]:
    """Checks what a shell beside the sessions counted while they ran."""
    for tally in read_lines(layout.tallies_log):
        calls = json.loads(tally["stdout"])["calls"] if tally["status"] == 0 else []
        counts = Counter(f"{call['tool']} {call['state']}" for call in calls)
        if counts != tally["calls"]:
            yield f"tally {tally['label']}: {dict(counts)}, not {tally['calls']} ({layout.tallies_log})"


def journals_are_rotated(scenario: Scenario, layout: Layout) -> Iterator[str]:
    """Checks that a journal over the limit, by at most one event, goes on in another file, and that other scenarios never reach the limit."""
    for folder in layout.state.glob("sessions/*"):
        sizes = [path.stat().st_size for path in sorted(folder.glob("events*.jsonl"))]
        if scenario.rotates != (len(sizes) > 2) or any(size > ROTATED_AT + LONGEST for size in sizes):
            yield f"the journal's files have {sizes} bytes ({folder})"


def secrets_are_nowhere(scenario: Scenario, layout: Layout) -> Iterator[str]:
    told = layout.fired_log.read_text()
    for secret in scenario.secrets:
        if json.dumps(secret)[1:-1] not in told:
            yield f"the client never worked with {secret!r}, so the scenario did not do its work ({layout.fired_log})"
        for state in (layout.state, layout.imported, layout.completed, layout.kept, layout.restored):
            for path in state.rglob("*"):
                if path.is_file() and secret.encode() in path.read_bytes():
                    yield f"{secret!r} is not redacted ({path})"
