"""Where each file of a run is. Both the code that plays a scenario and the checks afterwards use it."""
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"


class Layout:
    """The folder of one run, and the files and folders in it."""

    def __init__(self, root: Path):
        self.root = root
        self.home = root / "home"
        self.local_bin = self.home / ".local/bin"
        # The client that is started within another.
        self.inner_bin = self.home / ".inner"
        # A second copy of our programs, for scenarios that register the hooks twice.
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
        # What the helper programs and the scripted API saw, as JSON Lines.
        self.fired_log = root / "fired.jsonl"
        self.probe_log = root / "probes.jsonl"
        self.looks_log = root / "looks.jsonl"
        self.strays_log = root / "strays.jsonl"
        self.witness_log = root / "witness.jsonl"
        self.api_log = root / "api.jsonl"
        # The telemetry that the client sent.
        self.native_log = root / "native.jsonl"
        # What `ccsession` said about the calls at the end, and while the scenario ran.
        self.account = root / "account.json"
        self.tallies_log = root / "tallies.jsonl"
        # The transcripts, imported into an empty state, and into a copy of the recorded one.
        self.imported = root / "imported"
        self.completed = root / "completed"
        # A copy of the state after one more cleanup, and the files restored from its archives.
        self.kept = root / "kept"
        self.restored = root / "restored"
        # What `ccsession list` said about what the session waits for, and the screen at that moment.
        self.attention_log = root / "attention.jsonl"
        # Which ends were archived while the scenario ran.
        self.archives_log = root / "archives.jsonl"

    def fired(self) -> list[dict]:
        """Returns every call of the capture hook: `at`, `pid` (the client's), `is_named` (whether `CLAUDE_PID` is that pid),
        `above`, `project_dir`, `payload`."""
        return read_lines(self.fired_log)

    def probes(self) -> list[dict]:
        """Returns what the probe recorded, each time it ran inside a session."""
        return read_lines(self.probe_log)

    def gate(self, name: str, what: str) -> Path:
        """Returns the file that says that a command is `held` at a gate, or may `go` on."""
        return self.root / f"{name}.{what}"

    def clocked(self, label: str) -> Path:
        """Returns the file with the id that `ccsession clock-in` printed for the session of a probe."""
        return self.root / f"{label}.clocked"

    def exported(self, what: str) -> Path:
        """Returns the file that `ccsession export --format otlp-jsonl` wrote at the end. `what` names the signal and the spans."""
        return self.out / f"{what}.jsonl"

    def probe_command(self, *label: str) -> str:
        return python_command("probe.py", self.probe_log, *label)

    def strays(self) -> list[dict]:
        """Returns what the processes that sessions left behind were told."""
        return read_lines(self.strays_log)

    def stray_command(self) -> str:
        return python_command("stray.py", self.strays_log)

    def our_hooks(self, settings: dict) -> Iterator[tuple[str, dict]]:
        """Yields the hooks that `ccsession install` put into a settings file: event and entry."""
        for event, groups in settings.get("hooks", {}).items():
            for hook in (hook for group in groups for hook in group["hooks"]):
                if Path(shlex.split(hook["command"])[0]).parent == self.libexec:
                    yield event, hook


def python_command(program: str, *arguments: object) -> str:
    """Returns the shell command that runs one of `programs/`."""
    return shlex.join([sys.executable, "-ISB", str(PROGRAMS / program), *map(str, arguments)])


def read_lines(path: Path) -> list[dict]:
    """Returns the objects of a JSON Lines file, none if the file does not exist. Blank lines are skipped.

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
