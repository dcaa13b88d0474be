"""What a scenario is, the table of them, and the words in which a conversation is written.

A prompt with `RUN:NAME` picks the conversation NAME. In a conversation `@PROJECT@` and `@RUN@` are the run's folders,
and `@PROBE@ LABEL` is a command that records which session `ccsession` says it is in: each scenario needs one.
`@STRAY@ LABEL OF` records the same of what is left behind. `@INNER@` is the client that is started within another, which
is `@OUTER@`; `@API@` is the model's API, which takes telemetry, too; `@DEEP@ N COMMAND` runs a command below N shells.
"""
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from client import Client

TOOLS = {"PreToolUse", "PostToolUse", "PostToolBatch"}
SESSION = {"SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"}
COMPACTION = {"PreCompact", "PostCompact", "SubagentStop"}


@dataclass(frozen=True)
class Kept:
    """What the archive of a session must say."""
    # How it ended.
    reason: str
    # Each message as one line: `user …`, `assistant …`.
    said: tuple[str, ...]
    role: str = "unknown"
    focus: str = "general"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    play: Callable[[Client], None]
    # What the model says, by conversation.
    conversations: dict[str, list[dict]]
    # Events that the scenario is there to provoke: a run in which one of them is not fired and journaled fails.
    provokes: set[str]
    # Events that the client may or may not get to record before it exits, with the most times each can fire.
    uncertain: dict[str, int] = field(default_factory=dict)
    # Each session by the labels of all probes that run in it, as words; none where the scenario has no more to say.
    sessions: tuple[str, ...] = ()
    # How many calls of each kind there must be, over all sessions, in words: `Bash ok`, `Agent backgrounded`.
    calls: dict[str, int] = field(default_factory=dict)
    # What the archives must say, by a probe of each session.
    kept: dict[str, Kept] = field(default_factory=dict)
    # Texts that it took by `Client.text`, by label, and the files of `tests/data/archives` that they must be like.
    golden: dict[str, str] = field(default_factory=dict)
    # What stands in the environment of its clients, and in the user's settings, beyond what is common to all.
    environment: dict[str, str] = field(default_factory=dict)
    # More hooks of the user's: a shell command for each event.
    hooks: dict[str, str] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    refusing: str = ""
    # Its journals are longer than `CCSESSION_JOURNAL_LIMIT`.
    rotates: bool = False
    # Our hooks are registered a second time, from another place, as by a second install.
    doubled: bool = False
    # Texts that the client works with, and that may be nowhere in what is recorded.
    secrets: tuple[str, ...] = ()
    # Its sessions may be on record before their clients start: by `ccsession run` or `ccsession clock-in`.
    launched: bool = False
    # Played once more without our hooks, to compare what the client did.
    compared: bool = True
    # Played once more with each hook under a witness that measures what it prints.
    witnessed: bool = False
    needs_terminal: bool = False
    # Leaves processes behind that ask whose they are.
    leaves: bool = False
    # Its clients send telemetry of their own.
    traced: bool = False
    # Starts clients within clients: played with two versions by `run --matrix`.
    nests: bool = False


SCENARIOS: dict[str, Scenario] = {}


def scenario(about: str, **fields) -> Callable:
    def register(play: Callable[[Client], None]) -> Callable[[Client], None]:
        SCENARIOS[play.__name__] = Scenario(play.__name__, about, play, **fields)
        return play
    return register


def turn(text: str, *calls: dict, thinking: str = "") -> dict:
    return {"text": text, "calls": list(calls)} | ({"thinking": thinking} if thinking else {})


def tool(name: str, /, **inputs: object) -> dict:
    return {"name": name, "input": inputs}


def bash(command: str, **more: object) -> dict:
    return tool("Bash", command=command, description="scripted", **more)


def probe(label: str, then: str = "true", pointer: str = "") -> dict:
    """Probes, then runs a command. The pointer must name the session of the probe `pointer` (of one of them, where it
    is a list with commas; of any, where it is `-`), else the probe's own."""
    return bash(f"{probed(label, pointer)}; {then}")


def probed(label: str, pointer: str = "") -> str:
    """The command that probes, as a part of a longer one."""
    return f"@PROBE@ {label} {pointer}".rstrip()


def hold(name: str) -> str:
    """The command that waits at a gate, until the user opens it: see `Client.wait_held` and `Client.let_go`."""
    return f"touch @RUN@/{name}.held; until test -e @RUN@/{name}.go; do sleep 0.05; done"


def deep(command: str) -> str:
    """The command below a hundred shells."""
    return f"@DEEP@ 100 {command}"


def ask_later(label: str, of: str, *stages: str, at: str = "@PROJECT@") -> str:
    """The command that asks, at each of these gates, what a process that is left from the session of the probe `of` is
    told; see `Client.ask_strays`."""
    asks = [f"cd {at}", *(f"until test -e @RUN@/{stage}.go; do sleep 0.05; done; @STRAY@ {label}-{stage} {of}"
                          for stage in stages)]
    return f"sh -c {shlex.quote('; '.join(asks))} </dev/null >/dev/null 2>&1"


def clock_in(label: str, *arguments: str) -> dict:
    """Clocks in from within the session of a probe, without naming it."""
    return bash(f"ccsession clock-in --quiet {shlex.join(arguments)} >>@RUN@/{label}.clocked")


def read(file: str) -> dict:
    return tool("Read", file_path=f"@PROJECT@/{file}")


def write(file: str, content: str) -> dict:
    return tool("Write", file_path=f"@PROJECT@/{file}", content=content)


def edit(file: str, old: str, new: str) -> dict:
    return tool("Edit", file_path=f"@PROJECT@/{file}", old_string=old, new_string=new)


def agent(conversation: str, kind: str = "general-purpose", background: bool = False) -> dict:
    return tool("Agent", description=conversation, prompt=f"RUN:{conversation} do it", subagent_type=kind,
                run_in_background=background)
