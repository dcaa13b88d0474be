#!/usr/bin/env python3
"""Sends 1,000,000 events to a collector on this machine that reads and forgets, and compares: the time with that of
`cat journals | curl --data-binary @-`, once for the bytes of the journals and once for the bytes that `ship` sent, and the
largest resident memory. SIZE sessions of 1,000 events each (default 1,000); --protocol, --compression as in the settings."""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

BEGIN = 1_767_600_000_000_000
TOOLS = ["Bash"] * 5 + ["Read"] * 4 + ["Edit"] * 3 + ["Grep", "Write", "Agent", "mcp__db__query"]


def stamp(micros):
    seconds, rest = divmod(micros, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06}Z"


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def session(state, number, events):
    """Writes a session as hooks would have."""
    chance = random.Random(number)
    name = f"{chance.getrandbits(32):08x}-0000-4000-8000-{number:012x}"
    folder = f"{state}/sessions/{name}"
    os.makedirs(folder + "/owners", mode=0o700)
    at = BEGIN + number * 3_600_000_000
    head = f'{{"branch":"main","revision":"{chance.getrandbits(160):040x}"}}'
    nothing = ["transcript_path", "agent_type", "outcome", "exit_status", "previous", "parent", "name", "role", "focus",
               "notes", "description", "archive"]
    nothing = "".join(f'"{name}":null,' for name in nothing)
    write(folder + "/session.json",
          f'{{"v":1,"session_id":"{name}","project":{{"name":"shop","root":"/home/dev/shop"}},"cwd":"/home/dev/shop",'
          f'"source":"startup","model":"claude-opus-4","head":{head},{nothing}"started_at":"{stamp(at)}",'
          f'"ended_at":"{stamp(at + 3_000_000_000)}","end_reason":"other","machine":"box"}}')
    lines = []

    def event(kind, more):
        lines.append(f'\n{{"v":1,"ts":"{stamp(at)}","mono":{at - BEGIN + 10**9},"event":"{kind}","pid":{4000 + number}{more}}}\n')

    event("SessionStart", ',"source":"startup","model":"claude-opus-4"')
    prompt = ""
    while len(lines) < events - 2:
        if len(lines) % 50 == 1:
            prompt = f'{chance.getrandbits(128):032x}'
            at += 5_000_000
            event("UserPromptSubmit", f',"prompt_id":"{prompt}","what":"Please repair the checkout and run all its tests"')
        tool, call = chance.choice(TOOLS), f"toolu_{chance.getrandbits(96):024x}"
        both = f',"tool":"{tool}","tool_use_id":"{call}","prompt_id":"{prompt}"'
        at += chance.randrange(10_000, 900_000)
        event("PreToolUse", f'{both},"what":"make target-{len(lines)} in services/checkout","input_bytes":{chance.randrange(20, 900)}')
        at += chance.randrange(10_000, 2_000_000)
        event("PostToolUse", f'{both},"duration_ms":{chance.randrange(1, 2000)},"input_bytes":100,"output_bytes":{chance.randrange(9000)}')
    event("SessionEnd", ',"reason":"other"')
    write(folder + "/events.jsonl", "".join(lines))
    return len(lines)


class Collector(threading.Thread):
    """Reads requests, forgets them and answers 200."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.bytes = 0

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        room, buffer = bytearray(1 << 20), b""
        while True:
            while b"\r\n\r\n" not in buffer:
                got = connection.recv(1 << 16)
                if not got:
                    return
                buffer += got
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            head = head.lower()
            if b"expect: 100-continue" in head:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            self.bytes += length
            left = length - len(buffer)
            buffer = buffer[length:] if left < 0 else b""
            while left > 0:
                got = connection.recv_into(room, min(left, len(room)))
                if not got:
                    return
                left -= got
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")


def timed(command, **more):
    began = time.monotonic()
    subprocess.run(command, check=True, **more)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sessions", nargs="?", type=int, default=1000)
    parser.add_argument("--events", type=int, default=1000, help="events of each session")
    parser.add_argument("--protocol", default="http/json")
    parser.add_argument("--compression", default="none")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    program = os.environ.get("CCSESSION_BIN_DIR", "target/installed") + "/ccsession"
    place = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        run(args, program, place)
    finally:
        shutil.rmtree(place)


def run(args, program, place):
    state, home = place + "/state", place + "/home"
    os.makedirs(state + "/sessions", mode=0o700)
    os.chmod(state, 0o700)
    os.makedirs(home + "/.config/ccsession")
    events = sum(session(state, number, args.events) for number in range(args.sessions))
    collector = Collector()
    collector.start()
    url = f"http://127.0.0.1:{collector.port}"
    write(home + "/.config/ccsession/config.toml",
          f'[ship.bench]\nendpoint = "{url}"\nprotocol = "{args.protocol}"\ncompression = "{args.compression}"\n')
    env = {"HOME": home, "PATH": os.environ["PATH"], "CCSESSION_STATE_DIR": state}
    times, memory = [], 0
    for _ in range(args.repeat):
        shutil.rmtree(state + "/ship", ignore_errors=True)
        collector.bytes = 0
        began = time.monotonic()
        child = subprocess.Popen([program, "ship"], env=env, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(f"ship failed: {status}")
        times.append(time.monotonic() - began)
        memory = max(memory, usage.ru_maxrss)
        sent = collector.bytes
    journals = f"find {state}/sessions -name events.jsonl -print0 | sort -z | xargs -0 cat"
    curl = f"curl -sS -o /dev/null -H 'content-type: application/json' --data-binary @- {url}/v1/traces"
    of_journals = min(timed(["sh", "-c", f"{journals} | {curl}"]) for _ in range(args.repeat))
    size = int(subprocess.run(["sh", "-c", f"{journals} | wc -c"], check=True, stdout=subprocess.PIPE).stdout)
    best = min(times)
    print(f"{events:,} events, {size / 1e6:.0f} MB of journals; {args.protocol}, {sent / 1e6:.0f} MB sent")
    print(f"ship: {best:.2f} s (of {', '.join(f'{it:.2f}' for it in times)}), {memory / 1024:.0f} MiB of memory")
    print(f"cat journals | curl: {of_journals:.2f} s, ship takes {best / of_journals:.1f} times as long")
    # curl holds all that it sends in memory, and takes no two gigabytes.
    pieces = [min(1 << 29, sent - at) for at in range(0, sent, 1 << 29)]
    same = "; ".join(f"head -c {size} /dev/zero | tr '\\0' x | {curl}" for size in pieces)
    of_same = min(timed(["sh", "-c", same]) for _ in range(args.repeat))
    print(f"as many bytes as were sent | curl: {of_same:.2f} s, ship takes {best / of_same:.1f} times as long")


main()
