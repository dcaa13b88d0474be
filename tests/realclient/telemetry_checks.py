"""Checks a client that sends its own telemetry: every call is in both, joined by its id, and no span is there twice.

What the client sent and what `ccsession export` wrote are put into one store and queried in SQL.
"""
import json
import sqlite3
from collections.abc import Iterator

from layout import Layout, read_lines
from scenarios import Scenario

TOOL, INTERACTION = "claude_code.tool", "claude_code.interaction"
STATES = "SELECT call_id, state FROM records WHERE event = 'ccsession.call'"


def all_of(scenario: Scenario, layout: Layout) -> Iterator[Iterator[str]]:
    if scenario.traced:
        yield joined(layout)


def joined(layout: Layout) -> Iterator[str]:
    store = sqlite3.connect(":memory:")
    store.execute("CREATE TABLE spans (source, trace, span, parent, name, call_id, session)")
    store.execute("CREATE TABLE records (uid, event, trace, span, call_id, session, state)")
    for sent in read_lines(layout.native_log):
        if sent["path"] == "/v1/traces":
            add_spans(store, "client", sent["body"])
    for policy in ("auto", "always"):
        for request in read_lines(layout.exported(f"traces-{policy}")):
            add_spans(store, policy, request)
    for request in read_lines(layout.exported("logs-auto")):
        add_records(store, request)

    def ask(question: str) -> list[tuple]:
        return store.execute(question).fetchall()

    native = ask(f"SELECT call_id FROM spans WHERE source = 'client' AND name = '{TOOL}'")
    if len(native) < 3 or len(set(native)) != len(native):
        yield f"the client sent spans of the calls {native}, so the scenario did not do its work ({layout.native_log})"
    if auto := ask("SELECT name, call_id FROM spans WHERE source = 'auto'"):
        yield f"with `auto`, these spans are there although the client sends its own: {auto} ({layout.exported('traces-auto')})"
    for call, count in ask(f"SELECT s.call_id, count(r.uid) FROM spans s LEFT JOIN records r ON r.call_id = s.call_id AND "
                           f"r.event = 'ccsession.call' AND r.trace = s.trace AND r.session = s.session "
                           f"WHERE s.source = 'client' AND s.name = '{TOOL}' GROUP BY s.call_id"):
        if count != 1:
            yield f"{call}: the client's span has {count} records of ours in its trace ({layout.exported('logs-auto')})"
    for call, state in ask(f"{STATES} AND span NOT IN (SELECT span FROM spans WHERE source = 'client')"):
        yield f"{call} ({state}): its record is attached to no span that the client sent ({layout.exported('logs-auto')})"
    if not ask(f"{STATES} AND call_id NOT IN (SELECT call_id FROM spans WHERE source = 'client' AND call_id IS NOT NULL)"):
        yield "the client sent spans of all calls, so nothing shows what only our records have"
    if twice := ask("SELECT uid, count(*) FROM records GROUP BY uid HAVING count(*) > 1"):
        yield f"records that are there twice: {twice} ({layout.exported('logs-auto')})"
    for name, parent in ask("SELECT name, parent FROM spans o WHERE source = 'always' AND parent NOT IN "
                            "(SELECT span FROM spans s WHERE s.trace = o.trace AND source IN ('always', 'client'))"):
        yield f"{name}: with `always`, its parent {parent} is in neither trace ({layout.exported('traces-always')})"
    roots = ask(f"SELECT o.span FROM spans o JOIN spans s ON o.parent = s.span AND o.trace = s.trace "
                f"WHERE o.source = 'always' AND s.source = 'client' AND s.name = '{INTERACTION}'")
    turns = ask(f"SELECT span FROM spans WHERE source = 'client' AND name = '{INTERACTION}'")
    if len(roots) != len(turns):
        yield f"{len(turns)} turns of the client, and {len(roots)} of ours below them ({layout.exported('traces-always')})"


def add_spans(store: sqlite3.Connection, source: str, request: dict) -> None:
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                its = attributes(span)
                store.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)",
                              (source, span["traceId"], span["spanId"], span.get("parentSpanId"), span["name"],
                               its.get("gen_ai.tool.call.id"), its.get("session.id")))


def add_records(store: sqlite3.Connection, request: dict) -> None:
    for resource in request["resourceLogs"]:
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                its = attributes(record)
                store.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)",
                              (its["log.record.uid"], record["eventName"], record.get("traceId"), record.get("spanId"),
                               its.get("gen_ai.tool.call.id"), its["session.id"], its.get("ccsession.call.state")))


def attributes(item: dict) -> dict:
    return {pair["key"]: next(iter(pair["value"].values()), None) for pair in item.get("attributes", [])}
