"""The pinned client: where it is installed, and how a scenario drives it, by `claude -p` or at a terminal.

Knows nothing of what is checked afterwards: it only leaves files under the run's `out/`.
"""
import json
import platform
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from layout import Layout

VERSION = "2.1.329"

# Seconds. A `-p` call of these scenarios takes 1 to 6, a step at the terminal 1 to 3.
CALL_LIMIT = 60
STEP_LIMIT = 30
INSTALL_LIMIT = 400


class Unavailable(Exception):
    """The client cannot be had or cannot be run on this machine: a reason to skip, not a failure."""


def install(folder: Path) -> Path:
    """Installs the pinned client by its package name, once per machine (about 400 MB), and returns its executable.

    The platform package holds the native binary, which does not need Node; npm only fetches it.
    """
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if platform.system() != "Linux" or machine is None:
        raise Unavailable(f"no client for {platform.system()} on {platform.machine()}")
    name = f"@anthropic-ai/claude-code-linux-{machine}"
    package = folder / "node_modules" / name
    if installed_version(package) != VERSION:
        if shutil.which("npm") is None:
            raise Unavailable("npm is missing, which installs the client")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", f"{name}@{VERSION}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_LIMIT)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"npm did not install {name}@{VERSION} within {INSTALL_LIMIT} s") from None
        if done.returncode != 0:
            why = (done.stderr.strip() or "no message").splitlines()[0]
            raise Unavailable(f"npm could not install {name}@{VERSION}: {why}")
    return package / "claude"


def installed_version(package: Path) -> str | None:
    try:
        return json.loads((package / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return None


class Client:
    """What a scenario is given: the client in one run's project, with that run's environment."""

    def __init__(self, layout: Layout, environment: dict[str, str]):
        self.layout = layout
        self.environment = environment
        self.program = layout.local_bin / "claude"

    def ask(self, label: str, prompt: str, *arguments: str) -> None:
        """Runs `claude -p PROMPT ARGUMENTS…` to its end; leaves `out/LABEL.{stdout,stderr,json}`."""
        command = [str(self.program), "-p", prompt, *arguments]
        out = self.layout.out
        started = time.monotonic()
        with open(out / f"{label}.stdout", "wb") as stdout, open(out / f"{label}.stderr", "wb") as stderr:
            done = subprocess.run(command, cwd=self.layout.project, env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=stdout, stderr=stderr, timeout=CALL_LIMIT)
        self.note_end(label, command, done.returncode, time.monotonic() - started)

    def terminal(self, label: str, *arguments: str) -> "Terminal":
        """Starts the client in a terminal (tmux), to be used as a context manager."""
        return Terminal(self, label, arguments)

    def note_end(self, label: str, command: list[str], status: int, seconds: float) -> None:
        """Records how a client ended, and whether the pointer outlived it (later calls would hide that)."""
        end = {"command": command, "status": status, "seconds": round(seconds, 2),
               "pointer_left": self.layout.pointer.exists()}
        (self.layout.out / f"{label}.json").write_text(json.dumps(end))


class Terminal:
    """An interactive client in a tmux server of its own.

    Each step waits for what it causes (a captured hook event, a file, words on the screen), then for the screen to
    come to rest, because keys that arrive while the client redraws can be lost.
    """

    def __init__(self, client: Client, label: str, arguments: tuple[str, ...]):
        self.client = client
        self.label = label
        self.layout = client.layout
        self.shots = 0
        self.started = time.monotonic()
        self.status_file = self.layout.out / f"{label}.status"
        # The default permission mode asks a classifier that no scripted API has.
        self.command = [str(client.program), "--permission-mode", "manual", *arguments]
        script = f"{shlex.join(self.command)}; echo $? >{shlex.quote(str(self.status_file))}; sleep 600"
        self.tmux("new-session", "-d", "-s", "it", "-x", "150", "-y", "45", "-c", str(self.layout.project), script)

    def __enter__(self) -> "Terminal":
        self.wait_screen("❯")
        self.settle()
        return self

    def __exit__(self, *_: object) -> None:
        self.shot("end")
        self.tmux("kill-server")

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", "realclient", "-f", "/dev/null", *arguments]
        return subprocess.run(command, env=self.client.environment, capture_output=True, text=True,
                              timeout=STEP_LIMIT, check=True).stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "it")

    def shot(self, name: str) -> None:
        """Keeps the screen as `out/LABEL-NN-NAME.screen`."""
        self.shots += 1
        (self.layout.out / f"{self.label}-{self.shots:02}-{name}.screen").write_text(self.screen())

    def keys(self, *names: str) -> None:
        self.tmux("send-keys", "-t", "it", *names)

    def type(self, text: str) -> None:
        """Types a line without sending it, and waits until the client shows it."""
        self.tmux("send-keys", "-t", "it", "-l", "--", text)
        self.wait_screen(re.escape(text.split()[-1]))
        self.settle()

    def send(self, text: str) -> None:
        """Types a line and sends it."""
        self.type(text)
        self.keys("Enter")

    def submit(self, text: str, until: str, **where: str) -> None:
        """Sends a line and waits for the hook event `until` whose payload has the fields `where`."""
        mark = self.fired_count()
        self.send(text)
        self.wait_event(until, mark, **where)

    def wait_event(self, event: str, mark: int = 0, **where: str) -> None:
        """Waits for an event that fired after the first `mark` ones."""
        def fired() -> bool:
            payloads = [call["payload"] for call in self.layout.fired()[mark:]]
            return any(p["hook_event_name"] == event and where.items() <= p.items() for p in payloads)
        self.wait(fired, f"the event {event} {where or ''}")
        self.settle()
        self.shot(event)

    def wait_screen(self, pattern: str) -> None:
        self.wait(lambda: re.search(pattern, self.screen()), f"{pattern!r} on the screen")

    def wait_file(self, path: Path) -> None:
        self.wait(path.exists, f"the file {path}")

    def wait_exit(self) -> None:
        """Waits for the client's end and records it as `ask` does."""
        self.wait_file(self.status_file)
        self.wait(lambda: self.status_file.read_text().strip(), "the client's exit status")
        self.client.note_end(self.label, self.command, int(self.status_file.read_text()),
                             time.monotonic() - self.started)

    def fired_count(self) -> int:
        return len(self.layout.fired())

    def settle(self) -> None:
        """Waits until the screen has not changed for half a second. It never rests while the client is busy."""
        seen = [self.screen()]

        def rested() -> bool:
            seen.append(self.screen())
            return len(seen) > 5 and len(set(seen[-6:])) == 1
        self.wait(rested, "screen at rest")

    def wait(self, condition, what: str) -> None:
        deadline = time.monotonic() + STEP_LIMIT
        while not condition():
            if time.monotonic() > deadline:
                self.shot("stuck")
                raise TimeoutError(f"{self.label}: no {what} within {STEP_LIMIT} s; the screen is in {self.layout.out}")
            time.sleep(0.1)
