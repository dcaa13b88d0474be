#!/usr/bin/env python3
"""Loads an export twice into a lake on S3 (moto), and into a DuckLake with PostgreSQL, there also by four writers at once.

    stores.py EXPORT

Both must then have the answers of a lake in a directory. Needs the packages of requirements.txt, and the system's PostgreSQL.
"""

import glob
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAKE = ROOT / "contrib/lake/lake.py"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lake(*arguments):
    done = subprocess.run([sys.executable, LAKE, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def answers(*arguments):
    return [json.loads(line) | {"seconds": 0} for line in lake("ask", *arguments, "--json").splitlines()]


def program(name):
    """Returns the path of a program of PostgreSQL, which Debian keeps out of PATH."""
    return shutil.which(name) or sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[-1]


class Postgres:
    def __init__(self, folder):
        self.folder, self.port = folder / "postgres", free_port()
        self.folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            folder.chmod(0o711)
        self.run("initdb", "-D", self.folder, "-A", "trust", "-U", "lake")
        self.run("pg_ctl", "-D", self.folder, "-w", "-l", self.folder / "log", "-o",
                 f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}", "start")
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "lake", "lake")
        self.catalogue = f"ducklake:postgres:dbname=lake host=127.0.0.1 port={self.port} user=lake"

    def run(self, name, *arguments):
        user = {"user": "postgres"} if os.getuid() == 0 else {}
        subprocess.run([program(name), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **user)

    def stop(self):
        self.run("pg_ctl", "-D", self.folder, "-m", "fast", "stop")


def main():
    exported = sys.argv[1]
    port = free_port()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
                   "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    s3 = subprocess.Popen([pathlib.Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        postgres = None
        try:
            for _ in range(200):
                try:
                    request = urllib.request.Request(f"http://127.0.0.1:{port}/lake", method="PUT")
                    urllib.request.urlopen(request, timeout=5)
                    break
                except OSError:
                    time.sleep(0.1)
            lake("load", exported, folder / "lake")
            expected = answers(folder / "lake")

            for _ in range(2):
                began = time.monotonic()
                lake("load", exported, "s3://lake/parquet")
                print(f"S3: loaded in {time.monotonic() - began:.1f} s")
            failed += report("S3", answers("s3://lake/parquet"), expected)

            postgres = Postgres(folder)
            where = [postgres.catalogue, "--data", "s3://lake/ducklake/"]
            lake("load", exported, *where)
            began = time.monotonic()
            writers = [subprocess.Popen([sys.executable, LAKE, "load", exported, *where], stderr=subprocess.PIPE) for _ in range(4)]
            refused = sum(writer.wait() != 0 for writer in writers)
            print(f"DuckLake: four writers sent all of it again at once in {time.monotonic() - began:.1f} s, {refused} must load again")
            lake("load", exported, *where)
            failed += report("DuckLake", answers(*where), expected)
        finally:
            if postgres:
                postgres.stop()
            s3.terminate()
            s3.wait()
    sys.exit(failed)


def report(name, found, expected):
    same = found == expected
    print(f"{name}: {len(found)} answers, {'the same' if same else 'DIFFERENT'}")
    return 0 if same else 1


if __name__ == "__main__":
    main()
