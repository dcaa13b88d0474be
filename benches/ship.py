#!/usr/bin/env python3
"""Ships 1,000,000 events to a collector on this machine that discards them. Compares the time with that of
`cat journals | curl --data-binary @-`, once for the bytes of the journals and once for as many bytes as `ship` sent, and prints
the peak memory. SESSIONS sessions of 1,000 events each (default 1,000); --protocol and --compression as in the settings.
On a busy machine, compare the processor seconds, which do not include the collector's.

With --hook, it measures instead how long `post-tool-use` takes with and without a running `ship --follow`, in turn, as ratios to
a static C program that does nothing (needs cc)."""

import argparse
import os
import random
import resource
import shutil
import socket
import statistics
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
    """Reads requests, discards them and answers 200."""

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
    """Runs a command. Returns its time by the clock and its processor time, in seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, **more)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(measure, repeat):
    """Measures several times. Returns the smallest clock time and the smallest processor time."""
    times = [measure() for _ in range(repeat)]
    return min(took for took, _ in times), min(busy for _, busy in times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sessions", nargs="?", type=int, default=1000)
    parser.add_argument("--events", type=int, default=1000, help="events of each session")
    parser.add_argument("--protocol", default="http/json")
    parser.add_argument("--compression", default="none")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hook", type=int, metavar="ROUNDS", help="measure the hook beside `ship --follow`")
    args = parser.parse_args()
    program = os.environ.get("CCSESSION_BIN_DIR", "target/installed") + "/ccsession"
    place = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        beside(args, program, place) if args.hook else run(args, program, place)
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
        times.append((time.monotonic() - began, usage.ru_utime + usage.ru_stime))
        memory = max(memory, usage.ru_maxrss)
        sent = collector.bytes
    journals = f"find {state}/sessions -name events.jsonl -print0 | sort -z | xargs -0 cat"
    curl = f"curl -sS -o /dev/null -H 'content-type: application/json' --data-binary @- {url}/v1/traces"
    of_journals = best(lambda: timed(["sh", "-c", f"{journals} | {curl}"]), args.repeat)
    size = int(subprocess.run(["sh", "-c", f"{journals} | wc -c"], check=True, stdout=subprocess.PIPE).stdout)
    ship = min(took for took, _ in times), min(busy for _, busy in times)
    print(f"{events:,} events, {size / 1e6:.0f} MB of journals; {args.protocol}, {sent / 1e6:.0f} MB sent")
    print(f"ship: {ship[0]:.2f} s (of {', '.join(f'{took:.2f}' for took, _ in times)}), {ship[1]:.2f} s of processor time, "
          f"{memory / 1024:.0f} MiB of memory")
    compare("cat journals | curl", ship, of_journals)
    # curl keeps everything that it sends in memory, and cannot send two gigabytes at once.
    pieces = [min(1 << 29, sent - at) for at in range(0, sent, 1 << 29)]
    same = "; ".join(f"head -c {size} /dev/zero | tr '\\0' x | {curl}" for size in pieces)
    compare("as many bytes as were sent | curl", ship, best(lambda: timed(["sh", "-c", same]), args.repeat))


def compare(what, ship, other):
    print(f"{what}: {other[0]:.2f} s, {other[1]:.2f} s of processor time; ship takes {ship[0] / other[0]:.1f} times as long, "
          f"{ship[1] / other[1]:.1f} times the processor time")


def beside(args, program, place):
    """Measures the hook and the empty program in blocks, with and without a running `ship --follow`."""
    state, home = place + "/state", place + "/home"
    os.makedirs(home + "/.config/ccsession")
    os.makedirs(place + "/pointers", mode=0o700)
    nop = place + "/nop"
    subprocess.run(["cc", "-O2", "-static", "-o", nop, os.path.dirname(os.path.abspath(__file__)) + "/nop.c"], check=True)
    collector = Collector()
    collector.start()
    write(home + "/.config/ccsession/config.toml", f'[ship.bench]\nendpoint = "http://127.0.0.1:{collector.port}"\n')
    env = {"HOME": home, "PATH": os.environ["PATH"], "CCSESSION_STATE_DIR": state, "CCSESSION_POINTER_DIR": place + "/pointers"}
    common = ('{"session_id":"0a000000-0000-4000-8000-000000000001","cwd":"/tmp","hook_event_name":"%s",%s}')
    start = common % ("SessionStart", '"source":"startup"')
    call = common % ("PostToolUse", '"tool_name":"Bash","tool_use_id":"toolu_%s","tool_input":{"command":"make test","description":'
                     '"Run the tests"},"tool_response":{"stdout":"ok"},"duration_ms":12')
    hooks = os.path.dirname(program)
    subprocess.run([hooks + "/session-start"], env=env, input=start.encode(), check=True)

    def once(what, number):
        reading, writing = os.pipe()
        os.write(writing, (call % number).encode())
        os.close(writing)
        began = time.perf_counter()
        pid = os.posix_spawn(what, [what], env, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)])
        status = os.waitpid(pid, 0)[1]
        took = time.perf_counter() - began
        os.close(reading)
        if status != 0:
            sys.exit(f"{what} failed: {status}")
        return took

    hook, rounds, block = hooks + "/post-tool-use", args.hook, 50
    times = {(what, follows): [] for what in (nop, hook) for follows in (False, True)}
    for number in range(0, rounds, block):
        for follows in (False, True):
            follower = subprocess.Popen([program, "ship", "--follow"], env=env, stdout=subprocess.DEVNULL) if follows else None
            if follower:
                time.sleep(0.5)
            for at in range(block):
                for what in (nop, hook):
                    times[what, follows].append(once(what, f"{follows}_{number + at}"))
            if follower:
                follower.terminate()
                follower.wait()
    with open(state + "/sessions/0a000000-0000-4000-8000-000000000001/events.jsonl", encoding="utf-8") as file:
        recorded = sum("PostToolUse" in line for line in file)
    if recorded != 2 * len(times[hook, True]):
        sys.exit(f"{recorded} events were recorded")
    ratios = []
    for follows in (False, True):
        empty, its = (statistics.median(times[what, follows]) for what in (nop, hook))
        ratios.append(its / empty)
        print(f"{'with' if follows else 'without'} ship --follow: {its * 1e6:.0f} us, the empty program {empty * 1e6:.0f} us: {its / empty:.3f}")
    print(f"{len(times[hook, True])} rounds each, {collector.bytes / 1e6:.1f} MB sent meanwhile; "
          f"the ratio is {(ratios[1] / ratios[0] - 1) * 100:+.1f} % with it")


if __name__ == "__main__":
    main()
