#!/usr/bin/env python3
"""Measures the cost of a simulated fleet: files, `--from`, export, load, and the ten questions. Prints rows for docs/scale.md.

    measure.py PLACE MACHINES… [--only-load] [--times N] [--keep]

Up to 100 machines are real state directories. Larger fleets are copies of the tables of 100 machines, with other ids, names and numbers.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TABLES = ["calls", "sessions", "prompts", "tokens", "commits"]
MOST_REAL = 100


def run(command, env=None, stdout=subprocess.DEVNULL):
    """Runs a command. Returns its seconds, its processor seconds and its peak memory in MB."""
    began = time.monotonic()
    child = subprocess.Popen([str(it) for it in command], env=env, stdout=stdout)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"measure.py: {command[0]} ended with {child.returncode}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def size(folder):
    files = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def say(machines, what, measured, more=""):
    seconds, processor, memory = measured
    print(f"| {machines} | {what} | {seconds:.1f} s | {processor:.1f} s | {memory:.0f} MB | {more} |", flush=True)


class Sail:
    """Sail in local-cluster mode, on loopback."""

    def __init__(self, place):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        sail = pathlib.Path(sys.executable).parent / "sail"
        env = os.environ | {"SAIL_MODE": "local-cluster", "SAIL_CLUSTER__WORKER_INITIAL_COUNT": "2", "SAIL_CLUSTER__WORKER_MAX_COUNT": "2"}
        with open(place / "sail.log", "w") as log:
            self.child = subprocess.Popen([sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(self.port)], env=env, stdout=log, stderr=log)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        sys.exit(f"measure.py: Sail did not start; see {place}/sail.log")

    def stop(self):
        memory = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        self.memory = int(memory.split("VmHWM:")[1].split()[0]) / 1024
        self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def asked(lake, *more):
    command = [sys.executable, ROOT / "contrib/lake/lake.py", "ask", lake, "--json", *more]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {it["question"]: it for it in map(json.loads, printed.splitlines())}


def ask(place, machines, lake, times):
    """Asks the ten questions on both engines, several times, and compares the answers."""
    duckdb = [asked(lake) for _ in range(times)]
    server = Sail(place)
    try:
        sail = [asked(lake, "--engine", "sail", "--remote", f"sc://127.0.0.1:{server.port}") for _ in range(times)]
    finally:
        server.stop()
    print(f"\n{machines} machines, {lake.name}: seconds of {times} rounds, the first and the median; Sail had {server.memory:.0f} MB\n")
    print("| question | rows | DuckDB, first | DuckDB | Sail, first | Sail | answers |")
    print("|---|---|---|---|---|---|---|")
    for question, answer in duckdb[0].items():
        same = all(it[question]["rows"] == answer["rows"] for it in duckdb + sail)
        middle = [statistics.median(it[question]["seconds"] for it in rounds) for rounds in (duckdb, sail)]
        print(f"| {question} | {len(answer['rows'])} | {duckdb[0][question]['seconds']:.2f} | {middle[0]:.2f} "
              f"| {sail[0][question]['seconds']:.2f} | {middle[1]:.2f} | {'the same' if same else 'DIFFERENT'} |", flush=True)


def real(place, machines, args):
    """Measures a fleet of real state directories, and returns its lake by day."""
    fleet, exported = place / f"fleet-{machines}", place / f"export-{machines}"
    lake, by_day = place / f"lake-{machines}", place / f"lake-{machines}-by-day"
    for folder in (fleet, exported, lake, by_day):
        shutil.rmtree(folder, ignore_errors=True)
    exported.mkdir(parents=True)
    run([sys.executable, HERE / "generate.py", machines, fleet], stdout=None)
    home = place / "home"
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "TZ": "UTC"}
    ccsession = pathlib.Path(os.environ["CCSESSION_BIN_DIR"]) / "ccsession"
    files, size_of_all = size(fleet)
    print(f"{machines} machines: {files} files, {size_of_all / 1e6:.0f} MB\n\n| machines | what | time | processor | memory | |\n|---|---|---|---|---|---|")
    if not args.only_load:
        for words in (["list", "--all", "--json"], ["stats", "--json"], ["stats", "--by", "week", "--json"]):
            measured = run([ccsession, *words, "--from", fleet], env)
            say(machines, " ".join(words[:3] if "--by" in words else words[:1]) + " --from", measured)
        target = exported / "all.jsonl"
        say(machines, "export of calls --from", run([ccsession, "export", "--format", "jsonl", "-o", target, "--from", fleet], env))
        target.unlink()
    # As in real use: each machine exports its own sessions, and somebody loads the files.
    whole = (0.0, 0.0, 0.0)
    for state in sorted(fleet.iterdir()):
        for table in TABLES:
            with open(exported / f"{table}.jsonl", "ab") as file:
                command = [ccsession, "export", "--all", "--format", "jsonl", "--table", table]
                one = run(command, env | {"CCSESSION_STATE_DIR": str(state)}, file)
            whole = (whole[0] + one[0], whole[1] + one[1], max(whole[2], one[2]))
    say(machines, "export on each machine, all tables", whole, f"{size(exported)[1] / 1e6:.0f} MB")
    for again in ("load", "load again"):
        measured = run([sys.executable, ROOT / "contrib/lake/lake.py", "load", exported, lake])
        files, size_of_all = size(lake)
        say(machines, again, measured, f"{files} files, {size_of_all / 1e6:.1f} MB")
    measured = run([sys.executable, ROOT / "contrib/lake/lake.py", "compact", lake, by_day])
    files, size_of_all = size(by_day)
    say(machines, "compact", measured, f"{files} files, {size_of_all / 1e6:.1f} MB")
    if not args.only_load:
        ask(place, machines, lake, args.times)
        ask(place, machines, by_day, args.times)
        if not args.keep:
            for folder in (fleet, exported, lake):
                shutil.rmtree(folder)
    return by_day


def copies(place, machines, by_day):
    """Makes the tables of a larger fleet from those of 100 machines: with other machines, people and ids, and slightly longer durations."""
    import duckdb

    lake = place / f"lake-{machines}-by-day"
    shutil.rmtree(lake, ignore_errors=True)
    lake.mkdir()
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false; SET memory_limit = '4GB'")
    connection.execute(f"SET temp_directory = '{place}/spill'")
    times = machines // MOST_REAL
    changes = {
        "session_id": "concat(left(md5(concat(session_id, n)), 8), '-', right(session_id, 27))",
        "machine": "concat('m', lpad(CAST(CAST(substr(machine, 2) AS INTEGER) + 100 * n AS VARCHAR), 4, '0'))",
        "machine_id": "md5(concat(machine_id, n))",
        "user_name": "concat('user', lpad(CAST(CAST(substr(user_name, 5) AS INTEGER) + 50 * n AS VARCHAR), 3, '0'))",
        "tool_use_id": "concat('toolu_01', right(md5(concat(tool_use_id, n)), 12), right(tool_use_id, 8))",
        "prompt_id": "concat(right(md5(concat(prompt_id, n)), 12), right(prompt_id, 6))",
        "agent_id": "concat('a', right(md5(concat(agent_id, n)), 16))",
        "spawned_agent": "concat('a', right(md5(concat(spawned_agent, n)), 16))",
        "commit_id": "concat(md5(concat(commit_id, n)), right(commit_id, 8))",
        "duration_ms": "duration_ms + duration_ms * (n * 7 % 10) // 40",
        "elapsed_ms": "elapsed_ms + duration_ms * (n * 7 % 10) // 40",
        "permission_ms": "permission_ms + permission_ms * (n * 3 % 10) // 20",
        "output": "output + output * n // 50",
    }
    for table in TABLES:
        names = [row[0] for row in connection.execute(f"DESCRIBE FROM read_parquet('{by_day}/{table}.empty.parquet')").fetchall()]
        # An absent value stays absent.
        changed = [f'CASE WHEN "{name}" IS NOT NULL THEN {changes[name]} END AS "{name}"' if name in changes else f'"{name}"' for name in names]
        connection.execute(f"COPY (FROM read_parquet('{by_day}/{table}.empty.parquet')) TO '{lake}/{table}.empty.parquet' (FORMAT parquet)")
        for file in sorted(pathlib.Path(by_day).glob(f"{table}/date=*/*.parquet")):
            folder = lake / table / file.parent.name
            folder.mkdir(parents=True)
            connection.execute(
                f"COPY (SELECT {', '.join(changed)} FROM (SELECT * FROM read_parquet('{file}', hive_partitioning = false)), range({times}) AS t(n)"
                f" ORDER BY n) TO '{folder}/rows0.parquet' (FORMAT parquet, COMPRESSION zstd)")
    calls = connection.execute(f"SELECT count(*) FROM read_parquet('{lake}/calls/**/*.parquet')").fetchone()[0]
    files, size_of_all = size(lake)
    print(f"\n{machines} machines, copied from {MOST_REAL}: {calls} calls, {files} files, {size_of_all / 1e6:.0f} MB")
    return lake


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", type=pathlib.Path)
    parser.add_argument("machines", type=int, nargs="*", default=[10])
    parser.add_argument("--only-load", action="store_true", help="write, export and load, but ask no questions")
    parser.add_argument("--times", type=int, default=3, help="how often each question is asked")
    parser.add_argument("--keep", action="store_true", help="keep the written files")
    args = parser.parse_args()
    args.place.mkdir(parents=True, exist_ok=True)
    for machines in args.machines:
        if machines <= MOST_REAL:
            real(args.place, machines, args)
            continue
        by_day = args.place / f"lake-{MOST_REAL}-by-day"
        if not by_day.exists():
            real(args.place, MOST_REAL, args)
        ask(args.place, machines, copies(args.place, machines, by_day), args.times)


if __name__ == "__main__":
    main()
