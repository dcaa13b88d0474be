"""What a scenario is, the table of all scenarios, and the functions to write a conversation with.

A prompt with `RUN:NAME` picks the conversation NAME. In a conversation `@PROJECT@` and `@RUN@` are the run's folders,
and `@PROBE@ LABEL` is a command that records which session `ccsession` says it is in: each scenario needs one.
`@STRAY@ LABEL OF` records the same for a process that is left behind. `@OUTER@` is the client that a user starts, `@INNER@`
the one that is started within it. `@API@` is the model's API, which also receives telemetry; `@DEEP@ N COMMAND` runs a command
below N shells.
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
    # How the session ended.
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
    # Events that the scenario must provoke: a run fails if one of them is not fired and journaled.
    provokes: set[str]
    # Events whose hooks the client may end by its exit, with how often each can fire at most.
    uncertain: dict[str, int] = field(default_factory=dict)
    # Each session as the labels of all probes that run in it, separated by spaces; empty if the scenario does not check this.
    sessions: tuple[str, ...] = ()
    # How many calls of each kind there must be, over all sessions, in words: `Bash ok`, `Agent backgrounded`.
    calls: dict[str, int] = field(default_factory=dict)
    # What the archives must say, by the label of a probe of each session.
    kept: dict[str, Kept] = field(default_factory=dict)
    # The golden file in `tests/data/archives` for each text that `Client.text` took, by label.
    golden: dict[str, str] = field(default_factory=dict)
    # Variables for its clients, besides those that all scenarios have.
    environment: dict[str, str] = field(default_factory=dict)
    # More hooks of the user: a shell command for each event.
    hooks: dict[str, str] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    refusing: str = ""
    # Its journals exceed `CCSESSION_JOURNAL_LIMIT`.
    rotates: bool = False
    # Our hooks are registered a second time, from another place, as by a second install.
    doubled: bool = False
    # Texts that the client works with, and that must not be in anything recorded.
    secrets: tuple[str, ...] = ()
    # Its sessions may be on record before their clients start, because of `ccsession run` or `ccsession clock-in`.
    launched: bool = False
    # Played once more without our hooks, to compare what the client did.
    compared: bool = True
    # Played once more with each hook under a witness that records what it prints.
    witnessed: bool = False
    needs_terminal: bool = False
    # Leaves processes behind that ask which session they belong to.
    leaves: bool = False
    # Its clients send their own telemetry.
    traced: bool = False
    # Starts clients within clients: `run --matrix` plays it with two versions.
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
    """Probes, then runs a command. The pointer must name the session of the probe `pointer`, or of one of several with commas
    between them; with `-` any session; if empty, the probe's own."""
    return bash(f"{probed(label, pointer)}; {then}")


def probed(label: str, pointer: str = "") -> str:
    """Returns the command that probes, as a part of a longer one."""
    return f"@PROBE@ {label} {pointer}".rstrip()


def hold(name: str) -> str:
    """Returns the command that waits at a gate until the user opens it: see `Client.wait_held` and `Client.let_go`."""
    return f"touch @RUN@/{name}.held; until test -e @RUN@/{name}.go; do sleep 0.05; done"


def deep(command: str) -> str:
    """Returns the command that runs another one below a hundred shells."""
    return f"@DEEP@ 100 {command}"


def ask_later(label: str, of: str, *stages: str, at: str = "@PROJECT@") -> str:
    """Returns a command for a process that is left behind by the session of the probe `of`: after each of these gates opens, it
    asks which session it is in; see `Client.ask_strays`."""
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
