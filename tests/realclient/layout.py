"""Where everything of one run lies. Both sides use it: what plays a scenario, and what checks it afterwards."""
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"


class Layout:
    """The folder of one run, and the parts of it that others name."""

    def __init__(self, root: Path):
        self.root = root
        self.home = root / "home"
        self.local_bin = self.home / ".local/bin"
        # The client that is started within another.
        self.inner_bin = self.home / ".inner"
        # A second copy of ours, where a scenario has it registered, too.
        self.second = self.home / "second"
        self.libexec = self.home / ".local/libexec/ccsession"
        self.settings = self.home / ".claude/settings.json"
        self.transcripts = self.home / ".claude/projects"
        self.settings_before = root / "out/settings-before.json"
        self.settings_installed = root / "out/settings-installed.json"
        self.project = root / "project"
        self.pointer_dir = root / "pointers"
        self.pointer = self.pointer_dir / f"claude_session_{self.project.name}"
        self.state = root / "state"
        # What the client printed, screens, the settings before and after our install.
        self.out = root / "out"
        # What the helper programs and the scripted API saw, one JSON object a line.
        self.fired_log = root / "fired.jsonl"
        self.probe_log = root / "probes.jsonl"
        self.looks_log = root / "looks.jsonl"
        self.strays_log = root / "strays.jsonl"
        self.witness_log = root / "witness.jsonl"
        self.api_log = root / "api.jsonl"
        # What the client sent of its own telemetry.
        self.native_log = root / "native.jsonl"
        # What `ccsession` made of the calls at the end, and while the scenario ran.
        self.account = root / "account.json"
        self.tallies_log = root / "tallies.jsonl"
        # The transcripts imported where nothing is on record, and into a copy of what is.
        self.imported = root / "imported"
        self.completed = root / "completed"
        # A copy of the state after one more cleanup, and what its archives were restored to.
        self.kept = root / "kept"
        self.restored = root / "restored"
        # What `ccsession list` said of whom the session waits for, beside the screen.
        self.attention_log = root / "attention.jsonl"
        # What was archived while the scenario ran.
        self.archives_log = root / "archives.jsonl"

    def fired(self) -> list[dict]:
        """Every hook call that the capture hook saw: `at`, `pid` (the client's), `is_named` (by `CLAUDE_PID`), `above`,
        `project_dir`, `payload`."""
        return read_lines(self.fired_log)

    def probes(self) -> list[dict]:
        """What the probe saw, each time it ran inside a session."""
        return read_lines(self.probe_log)

    def gate(self, name: str, what: str) -> Path:
        """The file that says that a command is `held` at a gate, or may `go` on."""
        return self.root / f"{name}.{what}"

    def clocked(self, label: str) -> Path:
        """The file with the id that `ccsession clock-in` printed for the session of a probe."""
        return self.root / f"{label}.clocked"

    def exported(self, what: str) -> Path:
        """What `ccsession export --format otlp-jsonl` wrote at the end: a signal, and which spans."""
        return self.out / f"{what}.jsonl"

    def probe_command(self, *label: str) -> str:
        return python_command("probe.py", self.probe_log, *label)

    def strays(self) -> list[dict]:
        """What was told to processes that sessions left behind."""
        return read_lines(self.strays_log)

    def stray_command(self) -> str:
        return python_command("stray.py", self.strays_log)

    def our_hooks(self, settings: dict) -> Iterator[tuple[str, dict]]:
        """The hooks of a settings file that `ccsession install` put there: event and entry."""
        for event, groups in settings.get("hooks", {}).items():
            for hook in (hook for group in groups for hook in group["hooks"]):
                if Path(shlex.split(hook["command"])[0]).parent == self.libexec:
                    yield event, hook


def python_command(program: str, *arguments: object) -> str:
    """The shell command that runs one of `programs/`."""
    return shlex.join([sys.executable, "-ISB", str(PROGRAMS / program), *map(str, arguments)])


def read_lines(path: Path) -> list[dict]:
    """The objects of a JSON Lines file, none where there is no file. Blank lines are skipped.

    A last line without its newline is still being written, and left out. Raises `ValueError` with the file's name for
    any other line that is torn.
    """
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    try:
        return [json.loads(line) for line in lines if line.strip()]
    except ValueError as error:
        raise ValueError(f"unreadable line: {error} ({path})") from None
