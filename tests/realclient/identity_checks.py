"""Checks identity: what `ccsession` said inside each session and beside the sessions, and which session the pointer named.

The right id is always what the client says: in the environment of its Bash call, in the hook's payload, and in the
header of its request.
"""
import json
from collections.abc import Iterator

import recording
from layout import Layout, read_lines
from scenarios import Scenario

UNKNOWN = "unknown"
# The statuses of `ccsession current --strict`.
DONE, NOT_FOUND, AMBIGUOUS = 0, 3, 4


def all_of(scenario: Scenario, layout: Layout) -> list[Iterator[str]]:
    return [
        client_agrees_with_itself(layout),
        sessions_are_told_apart(scenario, layout),
        answers_inside_were_right(layout),
        answers_outside_were_right(layout),
        strays_were_not_misled(scenario, layout),
        pointer_went_with_the_session(layout),
    ]


def client_agrees_with_itself(layout: Layout) -> Iterator[str]:
    """Checks that hooks and requests name the session that the environment names. Otherwise the environment of a Bash call would
    be both the question and the answer."""
    for probe in layout.probes():
        said = recording.sessions_of_probe(layout, probe["label"])
        # A command in shell mode comes from no model and runs no hook.
        if said and probe["session_id"] not in said:
            yield f"probe {probe['label']}: in session {probe['session_id']}, by hooks and header in {sorted(said)}"


def sessions_are_told_apart(scenario: Scenario, layout: Layout) -> Iterator[str]:
    """Checks that the probes ran in the sessions that the scenario names, so that what it tests did happen."""
    ids = {}
    for probe in layout.probes():
        ids.setdefault(probe["label"], set()).add(probe["session_id"])
    groups = [words.split() for words in scenario.sessions]
    if groups and (missing := {label for labels in groups for label in labels} ^ ids.keys()):
        yield f"probes that did not run, or that no session of the scenario names: {sorted(missing)}"
        return
    sessions = [set().union(*(ids[label] for label in labels)) for labels in groups]
    for labels, found in zip(groups, sessions):
        if len(found) != 1:
            yield f"the probes {labels} are of one session, and ran in {sorted(found)} ({layout.probe_log})"
    if len(set().union(*sessions)) < len(groups):
        yield f"two of the sessions {scenario.sessions} are the same one ({layout.probe_log})"


def answers_inside_were_right(layout: Layout) -> Iterator[str]:
    """Checks what commands of the Bash tool were told.

    A command whose client is gone or runs no hooks may get `unknown`. If its client has gone on to another session, the
    environment must still name the command's session; the process tree may not know it. No answer may be another session.
    """
    probes = layout.probes()
    for probe in probes:
        right, runs = probe["session_id"], probe["client_runs"]
        is_hidden = recording.session_at(layout, probe["pid"], probe["at"]) != right
        where = f"in probe {probe['label']} of session {right} ({layout.probe_log})"
        for rung, may_be_unknown in (("environment", not runs), ("process", is_hidden or not runs)):
            said = probe[f"by_{rung}"]
            answer = answer_of(said)
            found = [answer.get(name) for name in ("session_id", "rung", "trust")]
            is_misled = answer.get("session_id", UNKNOWN) not in (right, None)
            if is_misled if may_be_unknown else found != [right, rung, "exact"]:
                yield f"`ccsession current --json`, by {rung}, said {said} {where}"
        printed = {"status": DONE, "stdout": f"{right}\n", "stderr": ""}
        if runs and (said := probe["printed"]) != printed:
            yield f"`ccsession current --strict` said {said} {where}"
    if not probes:
        yield f"no probe ran ({layout.probe_log})"


def strays_were_not_misled(scenario: Scenario, layout: Layout) -> Iterator[str]:
    """Checks that a process left behind by a session is told that session or that it is unknown. At a terminal, a likely session
    may also be named."""
    strays = layout.strays()
    for stray in strays:
        right = ids_of(layout, [stray["of"]])
        for rung, said in stray["answers"].items():
            answer = answer_of(said)
            is_guess = stray["is_at_terminal"] and answer.get("trust") == "last_known"
            if said["status"] != DONE or answer.get("session_id") not in (None, *right) and not is_guess:
                where = f"in {stray['label']}, left from {right} ({layout.strays_log})"
                yield f"`ccsession current --json`, by {rung}, said {said} {where}"
    if scenario.leaves and not strays:
        yield f"nothing was left behind ({layout.strays_log})"


def answers_outside_were_right(layout: Layout) -> Iterator[str]:
    """Checks what a shell beside the sessions was told, and which of them were live, ended or abandoned."""
    for look in read_lines(layout.looks_log):
        where = f"look {look['label']} in {look['at']} ({layout.looks_log})"
        live, abandoned = (ids_of(layout, look[which]) for which in ("live", "abandoned"))
        answer = answer_of(look["json"])
        candidates = {candidate["session_id"] for candidate in answer.get("candidates", [])}
        if len(live) == 1:
            [printed], trust, rung, status = live, "exact", "project", DONE
        elif live:
            printed, trust, rung, status = UNKNOWN, "ambiguous", "project", AMBIGUOUS
        else:
            printed, trust, rung, status = UNKNOWN, "none", "unknown", NOT_FOUND
        if [answer.get("session_id") or UNKNOWN, answer.get("trust"), answer.get("rung")] != [printed, trust, rung]:
            yield f"`ccsession current --json` said {look['json']}, not {printed}, {trust}, by {rung}: {where}"
        if candidates != (live if len(live) > 1 else set()):
            yield f"the candidates were {sorted(candidates)}, live were {sorted(live)}: {where}"
        if look["printed"] != {"status": status, "stdout": f"{printed}\n", "stderr": ""}:
            yield f"`ccsession current --strict` said {look['printed']}, not {printed} with status {status}: {where}"
        if (listed := set(states_of(look["listed"]))) != live:
            yield f"`ccsession list` named {sorted(listed)}, live were {sorted(live)}: {where}"
        for session_id, state in states_of(look["all"]).items():
            wanted = ({"active", "idle"} if session_id in live else
                      {"abandoned"} if session_id in abandoned else {"ended"})
            if state not in wanted:
                yield f"session {session_id} was {state}, not {' or '.join(sorted(wanted))}: {where}"
        if set(look["pointed"]) != (pointed := ids_of(layout, [look["pointer"]] if look["pointer"] else [])):
            yield f"the pointer named {look['pointed']}, not {sorted(pointed)}: {where}"


def pointer_went_with_the_session(layout: Layout) -> Iterator[str]:
    for probe in layout.probes():
        pointer, where = probe["pointer"], f"probe {probe['label']} ({layout.probe_log})"
        if not probe["pointer_of"]:
            continue
        is_own = probe["pointer_of"] == [probe["label"]]
        right = {probe["session_id"]} if is_own else ids_of(layout, probe["pointer_of"])
        if pointer is None or pointer["content"].splitlines()[0] not in right or pointer["mode"] != "0o600":
            yield f"the pointer was {pointer}, and {sorted(right)} right: {where}"
    for call in recording.calls(layout):
        if call["pointer_left"]:
            yield f"SessionEnd: the pointer was still there after {call['label']} ({layout.pointer})"


def ids_of(layout: Layout, labels: list[str]) -> set[str]:
    """Returns the sessions in which the probes with these labels ran."""
    return {probe["session_id"] for probe in layout.probes() if probe["label"] in labels}


def answer_of(said: dict) -> dict:
    return json.loads(said["stdout"]) if said["status"] == DONE else {}


def states_of(said: dict) -> dict[str, str]:
    return {session["session_id"]: session["state"] for session in answer_of(said).get("sessions", [])}
