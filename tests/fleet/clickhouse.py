#!/usr/bin/env python3
"""Loads an export into ClickHouse (chdb), twice, and compares its ten answers with DuckDB's over a lake of the same export.

    clickhouse.py EXPORT LAKE
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def statements(text):
    lines = (line.split("--")[0] for line in text.splitlines())
    return [part for part in "\n".join(lines).split(";") if part.strip()]


def plain(value):
    """Converts a printed value: ClickHouse prints times with a space, and large numbers as texts."""
    if isinstance(value, str):
        if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", value):
            return datetime.datetime.fromisoformat(value).isoformat(timespec="milliseconds")
        if re.fullmatch(r"\d+", value):
            return int(value)
    return value


def main():
    from chdb import session

    exported, lake = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        clickhouse = session.Session(folder)
        for statement in statements((ROOT / "contrib/clickhouse/tables.sql").read_text()):
            clickhouse.query(statement)
        load = (ROOT / "contrib/clickhouse/load.sql").read_text().replace("{exported}", str(pathlib.Path(exported).resolve()))
        for _ in range(2):
            for statement in statements(load):
                clickhouse.query(statement)
        ask = [sys.executable, ROOT / "contrib/lake/lake.py", "ask", lake, "--json"]
        answers = {it["question"]: it for it in map(json.loads, subprocess.run(ask, check=True, capture_output=True, text=True).stdout.splitlines())}
        wrong = 0
        for file in sorted((ROOT / "contrib/clickhouse/questions").glob("*.sql")):
            printed = clickhouse.query(file.read_text(), "JSONCompactEachRow")
            rows = [[plain(cell) for cell in json.loads(line)] for line in str(printed).splitlines()]
            same = rows == answers[file.stem]["rows"]
            wrong += not same
            print(f"{file.stem}: {len(rows)} rows, {'the same' if same else 'DIFFERENT'}, {printed.elapsed():.3f} s")
            for row, other in zip(rows, answers[file.stem]["rows"]):
                if row != other:
                    print(f"  ClickHouse {row}\n  DuckDB     {other}")
                    break
        # Spans that are sent twice must count once.
        insert = """INSERT INTO ccsession.otel_traces (Timestamp, TraceId, SpanId, ServiceName, SpanName)
            SELECT toDateTime64('2026-11-20 14:00:00', 9), hex(number % 7), hex(number), 'claude-code', 'execute_tool Bash' FROM numbers(66)"""
        for _ in range(2):
            clickhouse.query(insert)
        spans = str(clickhouse.query("SELECT count() FROM ccsession.otel_traces FINAL", "CSV")).strip()
        print(f"66 spans sent twice: {spans}")
        clickhouse.close()
    sys.exit(wrong > 0 or spans != "66")


if __name__ == "__main__":
    main()
