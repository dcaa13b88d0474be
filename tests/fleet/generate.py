#!/usr/bin/env python3
"""Writes the state directories of a simulated fleet: one month of Claude Code on each machine.

    generate.py MACHINES DIR [--first N] [--calls N]

Each machine gets DIR/mNNNN, a state directory as hooks leave it: records, journals and tokens. On every tenth machine, some sessions
are known only from an import. The same numbers give the same bytes. One machine has about 20,000 calls in 220 sessions, for one person and three of
forty projects.
"""

import argparse
import datetime
import hashlib
import json
import multiprocessing
import os
import pathlib
import random

FIRST_DAY = datetime.date(2026, 10, 1)
DAYS = 30
# Each tool: its name, its calls out of 100, its median duration in milliseconds, and how far durations spread.
TOOLS = [("Bash", 34, 900, 1.6), ("Read", 26, 12, 0.6), ("Edit", 16, 25, 0.7), ("Grep", 8, 60, 0.9), ("Write", 4, 20, 0.6),
         ("Glob", 3, 40, 0.7), ("WebFetch", 2, 1500, 0.8), ("mcp__db__query", 4, 200, 1.2), ("TodoWrite", 3, 5, 0.4)]
COMMON = ["Run the tests", "Build the project", "List the files", "Show the changes", "Check formatting", "Install packages", "Run the linter",
          "Show the log", "Start the server", "Stop the server"]
VERBS = ["Run", "Check", "Show", "Find", "Count", "Compare", "Measure", "Rename", "Generate", "Validate"]
NOUNS = ["the parser", "the cache", "the schema", "the fixtures", "the routes", "the report", "the worker", "the index", "the docs", "the queue"]
HOSTS = ["docs.example.com", "api.example.com", "wiki.example.org", "registry.example.net"]
AGENTS = ["Explore", "Plan", "general-purpose", "reviewer"]
MODELS = ["claude-opus-5-5", "claude-sonnet-5-5"]


def stamp(micros):
    """Returns a time as journals have it, from microseconds since 1970."""
    seconds, micros = divmod(micros, 1_000_000)
    days, seconds = divmod(seconds, 86400)
    day = datetime.date.fromordinal(719163 + days).isoformat()
    return f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}Z"


class Session:
    def __init__(self, machine, number, day, rng):
        self.rng = rng
        self.machine = machine
        word = hashlib.sha256(f"{machine.name} {number}".encode()).hexdigest()
        self.id = f"{word[:8]}-{word[8:12]}-4{word[13:16]}-8{word[17:20]}-{word[20:32]}"
        self.project = rng.choice(machine.projects)
        self.root = f"/home/{machine.user}/src/{self.project}"
        hour = min(23.9, max(0.0, rng.gauss(13.5, 3.2)))
        start = datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc).timestamp()
        self.now = int((start + (hour - machine.offset) * 3600) * 1_000_000) + rng.randrange(1_000_000)
        self.began = self.now
        self.pid = 2000 + number
        self.is_imported = machine.lacks_hooks and rng.random() < 0.3
        self.branch = self.some_branch()
        self.lines = []
        self.messages = {}
        self.model = rng.choices(MODELS, [1, 3])[0]
        self.calls = 0
        self.tag = word[32:44]

    def some_branch(self):
        if self.rng.random() < 0.2:
            return "main"
        return f"{self.rng.choice(['feature', 'fix'])}/{self.machine.user}-{self.rng.randrange(12)}"

    def event(self, kind, more, after):
        """Adds an event `after` microseconds after the last one."""
        self.now += after
        if self.is_imported:
            clocks, more = "", more + ',"origin":"transcript"'
        else:
            clocks, more = f'"mono":{self.now - self.machine.booted},', f'"pid":{self.pid}' + more
        more = more.removeprefix(",")
        self.lines.append(f'\n{{"v":1,"ts":"{stamp(self.now)}",{clocks}"event":"{kind}","session_id":"{self.id}",{more}}}\n')

    def prompt(self):
        self.prompt_id = f"{self.tag}{len(self.lines):06x}"
        if self.rng.random() < 0.03:
            self.branch = self.some_branch()
        text = f"{self.rng.choice(VERBS)} {self.rng.choice(NOUNS)} {self.rng.randrange(10000)}"
        self.event("UserPromptSubmit", f',"prompt_id":"{self.prompt_id}","branch":"{self.branch}","what":"{text}","input_bytes":{self.rng.randrange(20, 900)}',
                   self.rng.randrange(5_000_000, 240_000_000))

    def message(self, agent):
        rng = self.rng
        rows = self.messages.setdefault(agent, [])
        rows.append((stamp(self.now), rng.randrange(2, 30), int(rng.lognormvariate(5.2, 0.9)), int(rng.lognormvariate(10.8, 0.5)), int(rng.lognormvariate(7.2, 1.0))))

    def call(self, agent=None):
        rng = self.rng
        tool, _, middle, spread = rng.choices(TOOLS, [it[1] for it in TOOLS])[0]
        self.calls += 1
        use = f"toolu_01{self.tag}{self.calls:08x}"
        what = ""
        if tool == "Bash":
            label = rng.choice(COMMON) if rng.random() < 0.7 else f"{rng.choice(VERBS)} {rng.choice(NOUNS)} {rng.randrange(100)}"
            commits = rng.random() < 0.03
            what = f',"what":"{"Commit the change" if commits else label}"'
        elif tool in ("Read", "Edit", "Write"):
            commits, what = False, f',"what":"{self.root}/src/{rng.randrange(40)}/{rng.randrange(12)}.rs"'
        elif tool == "WebFetch":
            commits, what = False, f',"what":"{rng.choice(HOSTS)}"'
        else:
            commits = False
        who = f',"prompt_id":"{self.prompt_id}"' + (f',"agent_id":"{agent[0]}","agent_type":"{agent[1]}"' if agent else "")
        head = f',"tool":"{tool}","tool_use_id":"{use}"{who}{what}'
        size = rng.randrange(20, 900)
        self.event("PreToolUse", f'{head},"input_bytes":{size}', rng.randrange(1_500_000, 9_000_000))
        self.message(agent)
        duration = max(1, int(rng.lognormvariate(0, spread) * middle))
        waited = 0
        if not self.is_imported and tool in ("Bash", "WebFetch", "Write") and rng.random() < 0.06:
            self.event("PermissionRequest", f',"tool":"{tool}"{who},"input_bytes":{size}', 20_000)
            waited = int(rng.lognormvariate(9.2, 1.3)) * 1000
            if rng.random() < 0.05:
                self.event("PostToolBatch", f'{who},"calls":[{{"tool_use_id":"{use}","tool":"{tool}","outcome":"denied"}}]', waited)
                return
        luck = rng.random()
        if luck < 0.004:
            return
        note = ""
        if commits:
            commit = hashlib.sha1(use.encode()).hexdigest()
            note = f',"commits":[{{"id":"{commit}","ts":"{stamp((self.now + waited + duration * 500) // 1_000_000 * 1_000_000)[:19]}.000000Z","how":"commit"}}]'
            duration = max(duration, 1500)
        after = waited + duration * 1000 + rng.randrange(3000, 12000)
        if luck < (0.09 if tool == "Bash" else 0.02):
            self.event("PostToolUseFailure", f'{head},"ok":false,"error":"{"exit:1" if tool == "Bash" else "other"}","duration_ms":{duration}', after)
        else:
            self.event("PostToolUse", f'{head},"ok":true,"duration_ms":{duration},"output_bytes":{int(rng.lognormvariate(7, 1.5))}{note}', after)

    def subagent(self):
        agent = (f"a{self.tag[:8]}{self.calls:08x}", self.rng.choice(AGENTS))
        self.calls += 1
        head = f',"tool":"Agent","tool_use_id":"toolu_01{self.tag}{self.calls:08x}","prompt_id":"{self.prompt_id}"'
        self.event("PreToolUse", head + ',"input_bytes":400', 3_000_000)
        began = self.now
        self.event("SubagentStart", f',"agent_id":"{agent[0]}","agent_type":"{agent[1]}","prompt_id":"{self.prompt_id}"', 30_000)
        for _ in range(self.rng.randrange(4, 24)):
            self.call(agent)
        self.event("SubagentStop", f',"agent_id":"{agent[0]}","agent_type":"{agent[1]}"', 900_000)
        ran = (self.now - began) // 1000
        self.event("PostToolUse", f'{head},"ok":true,"duration_ms":{ran},"spawned_agent":"{agent[0]}","output_bytes":3000', 20_000)

    def run(self, calls):
        rng = self.rng
        self.event("SessionStart", ',"source":"startup"', 0)
        while self.calls < calls:
            self.prompt()
            for _ in range(rng.randrange(2, 36)):
                if rng.random() < 0.012:
                    self.subagent()
                else:
                    self.call()
            if rng.random() < 0.95:
                self.event("Stop", f',"prompt_id":"{self.prompt_id}","branch":"{self.branch}"', rng.randrange(2_000_000, 9_000_000))
        if rng.random() < 0.94 and not self.is_imported:
            self.event("SessionEnd", f',"reason":"prompt_input_exit","branch":"{self.branch}"', rng.randrange(1_000_000, 600_000_000))

    def record(self):
        return {
            "v": 1, "session_id": self.id, "project": {"name": self.project, "root": self.root}, "cwd": self.root,
            "transcript_path": f"/home/{self.machine.user}/.claude/projects/{self.root.replace('/', '-')}/{self.id}.jsonl",
            "source": "transcript" if self.is_imported else "startup", "model": self.model, "agent_type": None,
            "head": {"branch": self.branch, "revision": None}, "started_at": stamp(self.began), "ended_at": None, "end_reason": None,
            "outcome": None, "exit_status": None, "previous": None, "parent": None, "name": None, "role": None, "focus": None,
            "notes": None, "description": None, "machine": self.machine.name, "machine_id": self.machine.id, "archive": None,
        }

    def usage(self):
        """Returns the two lines of usage.json: the sums, and each message once."""
        writers = sorted(self.messages, key=lambda agent: (agent is not None, agent))
        by, rows = [], []
        for place, agent in enumerate(writers):
            messages = self.messages[agent]
            sums = [sum(it[column] for it in messages) for column in range(1, 5)]
            agent_id = agent[0] if agent else None
            by.append({"model": self.model, "agent_id": agent_id, "messages": len(messages), "input": sums[0], "output": sums[1],
                       "cache_read": sums[2], "cache_creation": sums[3]})
            rows += [f'[{int(hashlib.md5(f"{self.id}{place}.{at}".encode()).hexdigest()[:15], 16)},"{it[0]}",0,{place},[{it[1]},{it[2]},{it[3]},{it[4]}],null]'
                     for at, it in enumerate(messages)]
        head = {"v": 2, "usage": {"by": by, "cost_usd": None},
                "files": {self.record()["transcript_path"]: {"identity": [1, 1], "offset": 1, "mark": "", "number": 0, "stated_cost": None}},
                "writers": [{"agent_id": agent[0] if agent else None, "model": self.model} for agent in writers]}
        return json.dumps(head, separators=(",", ":")) + "\n[" + ",".join(rows) + "]\n"


class Machine:
    def __init__(self, number):
        rng = random.Random(number)
        self.name = f"m{number:04}"
        self.id = hashlib.md5(self.name.encode()).hexdigest()
        self.user = f"user{(number + 1) // 2:03}"
        self.projects = rng.sample([f"project-{it:02}" for it in range(40)], 3)
        self.offset = rng.choice([-8, -5, 0, 1, 2, 9])
        self.booted = 1_788_000_000_000_000
        self.lacks_hooks = number % 10 == 0
        self.rng = rng


def put(path, text):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def write_machine(task):
    number, place, calls = task
    machine = Machine(number)
    rng = machine.rng
    days = [day for day in (FIRST_DAY + datetime.timedelta(days=it) for it in range(DAYS)) if day.weekday() < 5 or rng.random() < 0.05]
    state = pathlib.Path(place) / machine.name
    state.mkdir(mode=0o700, parents=True)
    (state / "sessions").mkdir(mode=0o700)
    made = 0
    sessions = 0
    while made < calls:
        session = Session(machine, sessions, days[sessions * len(days) * 91 // calls % len(days)], rng)
        session.run(min(calls - made, max(1, int(rng.lognormvariate(4.2, 0.8)))))
        made += session.calls
        sessions += 1
        folder = state / "sessions" / session.id
        (folder / "owners").mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
        put(folder / "session.json", json.dumps(session.record()) + "\n")
        put(folder / ("transcript.jsonl" if session.is_imported else "events.jsonl"), "".join(session.lines))
        put(folder / "usage.json", session.usage())
        last = session.now / 1_000_000
        for file in folder.iterdir():
            os.utime(file, (last, last))
    return sessions, made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machines", type=int)
    parser.add_argument("dir")
    parser.add_argument("--first", type=int, default=1, help="the number of the first machine")
    parser.add_argument("--calls", type=int, default=20_000, help="how many calls a machine makes, at least")
    args = parser.parse_args()
    tasks = [(number, args.dir, args.calls) for number in range(args.first, args.first + args.machines)]
    with multiprocessing.Pool(min(len(tasks), os.cpu_count())) as pool:
        done = pool.map(write_machine, tasks, chunksize=1)
    print(f"{len(tasks)} machines, {sum(it[0] for it in done)} sessions, {sum(it[1] for it in done)} calls")


if __name__ == "__main__":
    main()
