#!/usr/bin/env python3
"""Loads exports of ccsession into a lake of Parquet files, and asks it. README.md has the steps.

    lake.py load EXPORT LAKE        merge the tables in the directory EXPORT into LAKE
    lake.py compact LAKE TO         copy LAKE into one file for each day
    lake.py ask LAKE [QUESTION…]    answer questions/*.sql, or those whose names begin with QUESTION

A lake is a directory or s3://bucket/prefix. It can be a DuckLake as well: ducklake:postgres:dbname=lake --data s3://bucket/prefix.
`ask` takes --engine sail --remote sc://HOST:PORT to have Sail answer, and --json.
It needs the Python package duckdb, or for Sail pyspark-client.
"""

import argparse
import datetime
import decimal
import importlib.util
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TABLES = ["calls", "sessions", "prompts", "tokens", "commits"]
# Where a load writes, within the lake, before it moves the files to their places. No table reads it.
WRITTEN = ".loading"


def sql(name):
    return (HERE / f"{name}.sql").read_text()


def quoted(value):
    text = str(value).replace("'", "''")
    return f"'{text}'"


def load(exported, lake, data=None):
    """Merges an export into a lake. Killed at any moment, it leaves every file of the lake whole, and the next load completes it."""
    if lake.startswith("ducklake:"):
        merge(DuckDb({"exported": exported, "lake": lake}, data), "ducklake")
    elif lake.startswith("s3://"):
        merge(DuckDb({"exported": exported, "lake": lake, "written": lake}), "parquet")
    else:
        written = os.path.join(lake, WRITTEN)
        # A killed load may have left this folder.
        shutil.rmtree(written, ignore_errors=True)
        merge(DuckDb({"exported": exported, "lake": lake, "written": written}), "parquet")
        move_all(written, lake)


def merge(engine, how):
    engine.run(sql("read"))
    engine.run(sql(how))


def move_all(written, lake):
    """Moves each file under `written` to the same place under `lake`."""
    for folder, _, names in os.walk(written):
        place = os.path.join(lake, os.path.relpath(folder, written))
        os.makedirs(place, exist_ok=True)
        for name in names:
            os.replace(os.path.join(folder, name), os.path.join(place, name))
    shutil.rmtree(written)


def questions(wanted):
    """The files of the questions that were asked for, in order."""
    files = sorted((HERE / "questions").glob("*.sql"))
    chosen = [file for file in files if not wanted or any(file.stem.startswith(name) for name in wanted)]
    if not chosen:
        sys.exit(f"lake.py: no question begins with {' or '.join(wanted)}: see {HERE / 'questions'}")
    return chosen


class DuckDb:
    """One person's engine."""

    def __init__(self, places, data=None):
        import duckdb

        self.connection = duckdb.connect()
        self.is_ducklake = places["lake"].startswith("ducklake:")
        if any(str(place).startswith("s3://") for place in [data, *places.values()]):
            self.use_s3()
        for name, place in places.items():
            if name == "lake" and self.is_ducklake:
                self.attach(place, data)
                continue
            if name != "exported" and not place.startswith("s3://"):
                os.makedirs(place, exist_ok=True)
            self.connection.execute(f"SET VARIABLE {name} = {quoted(place.rstrip('/'))}")

    def use(self, extension):
        """Loads an extension: from its Python package, or else from DuckDB's own repository."""
        package = importlib.util.find_spec(f"duckdb_extension_{extension}")
        if package:
            file = next(pathlib.Path(package.origin).parent.glob("**/*.duckdb_extension"))
            # DuckDB expects the extension's name as the name of the file, and postgres has another one.
            name = {"postgres": "postgres_scanner"}.get(extension, extension)
            with tempfile.TemporaryDirectory() as folder:
                link = pathlib.Path(folder, f"{name}.duckdb_extension")
                link.symlink_to(file)
                self.connection.execute(f"LOAD {quoted(link)}")
        else:
            self.connection.execute(f"INSTALL {extension}; LOAD {extension}")

    def use_s3(self):
        """Reads the keys from the variables that every program for S3 uses."""
        self.use("httpfs")
        options = {
            "KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID"),
            "SECRET": os.environ.get("AWS_SECRET_ACCESS_KEY"),
            "SESSION_TOKEN": os.environ.get("AWS_SESSION_TOKEN"),
            "REGION": os.environ.get("AWS_REGION"),
        }
        given = [f"{name} {quoted(value)}" for name, value in options.items() if value]
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            scheme, _, host = endpoint.partition("://")
            given += [f"ENDPOINT {quoted(host)}", "URL_STYLE 'path'", f"USE_SSL {'false' if scheme == 'http' else 'true'}"]
        self.connection.execute(f"CREATE OR REPLACE SECRET lake ({', '.join(['TYPE s3', *given])})")

    def attach(self, catalogue, data):
        self.use("ducklake")
        if catalogue.startswith("ducklake:postgres:"):
            self.use("postgres")
        options = f" (DATA_PATH {quoted(data)})" if data else ""
        self.connection.execute(f"ATTACH {quoted(catalogue)} AS lake{options}")

    def run(self, text):
        self.connection.execute(text)

    def answer(self, text):
        self.connection.execute(text)
        names = [column[0] for column in self.connection.description]
        return names, self.connection.fetchall()


class Sail:
    """A team's engine: anything that speaks Spark Connect."""

    def __init__(self, lake, remote):
        from pyspark.sql import SparkSession

        self.session = SparkSession.builder.remote(remote).getOrCreate()
        self.session.conf.set("spark.sql.session.timeZone", "UTC")
        for table in TABLES:
            # A table without rows has only this file.
            paths = [f"{lake}/{table}.empty.parquet"]
            if lake.startswith("s3://") or os.path.isdir(f"{lake}/{table}"):
                paths = [f"{lake}/{table}"]
            self.session.read.parquet(*paths).createOrReplaceTempView(table)

    def answer(self, text):
        frame = self.session.sql(text)
        return frame.columns, [tuple(row) for row in frame.collect()]


def plain(value):
    """The value for JSON, the same for each engine."""
    if isinstance(value, decimal.Decimal):
        return int(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def show(names, rows):
    texts = [["" if cell is None else str(cell) for cell in row] for row in [names, *rows[:40]]]
    widths = [min(60, max(len(row[place]) for row in texts)) for place in range(len(names))]
    for row in texts:
        # Titles come from outside, so control characters in them must not reach the terminal.
        cells = ("".join(c if c.isprintable() else "?" for c in cell[:60]).ljust(width) for cell, width in zip(row, widths))
        print("  ".join(cells).rstrip())
    if len(rows) > 40:
        print(f"… and {len(rows) - 40} more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    loading = verbs.add_parser("load", help="merge an export into a lake")
    loading.add_argument("exported")
    loading.add_argument("lake")
    loading.add_argument("--data", help="where a DuckLake has its files")
    compact = verbs.add_parser("compact", help="copy a lake into one file for each day")
    compact.add_argument("lake")
    compact.add_argument("compacted")
    ask = verbs.add_parser("ask", help="answer the questions")
    ask.add_argument("lake")
    ask.add_argument("question", nargs="*")
    ask.add_argument("--data", help="where a DuckLake has its files")
    ask.add_argument("--engine", choices=["duckdb", "sail"], default="duckdb")
    ask.add_argument("--remote", default="sc://127.0.0.1:50051", help="where Sail listens")
    ask.add_argument("--json", action="store_true", help="print one object for each question")
    args = parser.parse_args()

    if args.verb == "load":
        missing = [table for table in TABLES if not os.path.exists(f"{args.exported}/{table}.jsonl")]
        if missing:
            sys.exit(f"lake.py: `{args.exported}` has no {missing[0]}.jsonl: write it with ccsession export --format jsonl "
                     f"--table {missing[0]} -o {args.exported}/{missing[0]}.jsonl")
        load(args.exported, args.lake, args.data)
        return
    if args.verb == "compact":
        engine = DuckDb({"lake": args.lake, "compacted": args.compacted})
        engine.run(sql("tables"))
        engine.run(sql("compact"))
        return
    if args.engine == "sail":
        engine = Sail(args.lake.rstrip("/"), args.remote)
    else:
        engine = DuckDb({"lake": args.lake}, args.data)
        engine.run("USE lake" if engine.is_ducklake else sql("tables"))
    for file in questions(args.question):
        text = file.read_text()
        began = time.monotonic()
        names, rows = engine.answer(text)
        took = round(time.monotonic() - began, 3)
        rows = [[plain(cell) for cell in row] for row in rows]
        if args.json:
            print(json.dumps({"question": file.stem, "seconds": took, "columns": names, "rows": rows}), flush=True)
        else:
            print(f"\n{text.splitlines()[0].removeprefix('-- ')}  ({took} s)\n")
            show(names, rows)


if __name__ == "__main__":
    main()
