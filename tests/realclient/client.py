"""Installs the pinned client, and drives it for a scenario by `claude -p` or at a terminal.

Knows nothing of what is checked afterwards: it only writes files in the run's folder.
"""
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layout import Layout, read_lines

VERSION = "2.1.332"
# The last version that reads settings by the old rules, and that does not set `CLAUDE_PID`.
OLD_VERSION = "2.1.197"

# Seconds. A `-p` call of these scenarios takes 1 to 6, a step at the terminal 1 to 3.
CALL_LIMIT = 60
STEP_LIMIT = 30
INSTALL_LIMIT = 400


class Unavailable(Exception):
    """The client cannot be installed or run on this machine: a reason to skip, not a failure."""


def install(home: Path, version: str = VERSION) -> Path:
    """Installs a client by its package name, once per machine (about 400 MB), and returns its executable.

    The platform package holds the native binary, which does not need Node; npm only fetches it.
    """
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if platform.system() != "Linux" or machine is None:
        raise Unavailable(f"no client for {platform.system()} on {platform.machine()}")
    name = f"@anthropic-ai/claude-code-linux-{machine}"
    folder = home / ("node" if version == VERSION else f"node-{version}")
    package = folder / "node_modules" / name
    if installed_version(package) != version:
        if shutil.which("npm") is None:
            raise Unavailable("npm is missing, which installs the client")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", f"{name}@{version}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_LIMIT)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"npm did not install {name}@{version} within {INSTALL_LIMIT} s") from None
        if done.returncode != 0:
            why = (done.stderr.strip() or "no message").splitlines()[0]
            raise Unavailable(f"npm could not install {name}@{version}: {why}")
    return package / "claude"


@dataclass(frozen=True)
class Clients:
    """The client that a user starts, and the one that is started within it: executables of one version or of two."""
    names: tuple[str, str]
    outer: Path
    inner: Path

    @classmethod
    def installed(cls, home: Path, outer: str, inner: str) -> "Clients":
        return cls((outer, inner), install(home, outer), install(home, inner))

    @property
    def folder(self) -> str:
        """The folder for the runs with these clients."""
        outer, inner = self.names
        if outer == inner:
            return "runs" if outer == VERSION else f"runs-{outer}"
        return f"runs-{inner}-in-{outer}"


def installed_version(package: Path) -> str | None:
    try:
        return json.loads((package / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return None


class Client:
    """The client as a scenario uses it, in one run's project and environment."""

    def __init__(self, layout: Layout, environment: dict[str, str]):
        self.layout = layout
        self.environment = environment
        self.program = layout.local_bin / "claude"
        self.inner = layout.inner_bin / "claude"
        # How many clients of this run are running.
        self.running = 0

    def ask(self, label: str, prompt: str, *arguments: str, at: Path | None = None, run: Sequence[str] = ()) -> None:
        """Runs `claude -p PROMPT ARGUMENTS…` to its end, and writes `out/LABEL.{stdout,stderr,json}`."""
        self.begin(label, prompt, *arguments, at=at, run=run).end()

    def begin(self, label: str, prompt: str, *arguments: str, at: Path | None = None, run: Sequence[str] = (),
              program: Path | None = None) -> "Asked":
        """Starts `claude -p PROMPT ARGUMENTS…` in the project or in the directory `at`: under `ccsession run` if its options `run`
        are given, and with another client if `program` is."""
        return Asked(self, label, [prompt, *arguments], at or self.layout.project, subprocess.DEVNULL, run, program)

    def converse(self, label: str, *arguments: str) -> "Asked":
        """Starts `claude -p ARGUMENTS…` without a prompt: the client is idle once it has answered everything that was said."""
        streams = ("--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
        return Asked(self, label, [*streams, *arguments], self.layout.project, subprocess.PIPE, ())

    def terminal(self, label: str, *arguments: str) -> "Terminal":
        """Starts the client in a terminal (tmux), to be used as a context manager."""
        return Terminal(self, label, arguments)

    def note_end(self, label: str, command: list[str], status: int, seconds: float) -> None:
        """Records how a client ended, and whether the pointer is still there after the last one: later calls would hide that."""
        self.running -= 1
        end = {"command": command, "status": status, "seconds": round(seconds, 2),
               "pointer_left": not self.running and self.layout.pointer.exists()}
        (self.layout.out / f"{label}.json").write_text(json.dumps(end))

    def worktree(self, name: str) -> Path:
        """Adds a git worktree `NAME/project`, whose folder has the project's name."""
        tree = self.layout.root / name / self.layout.project.name
        subprocess.run(["git", "worktree", "add", "-q", str(tree)], cwd=self.layout.project, env=self.environment,
                       check=True)
        return tree

    def wait_held(self, name: str) -> None:
        """Waits until a command of a conversation waits at the gate `hold(name)`."""
        wait_until(self.layout.gate(name, "held").exists, f"command at the gate {name}")

    def let_go(self, name: str) -> None:
        self.layout.gate(name, "go").touch()

    def ask_strays(self, stage: str, *labels: str) -> None:
        """Opens a gate of `ask_later`, and waits until each process there has recorded what it was told."""
        self.let_go(stage)
        wanted = {f"{label}-{stage}" for label in labels}
        wait_until(lambda: wanted <= {stray["label"] for stray in self.layout.strays()}, f"answer of {sorted(wanted)}")

    def in_server(self, server: str, command: str, at: Path | None = None,
                  how: Sequence[str] = ("new-window", "-d")) -> None:
        """Makes a terminal server run a shell command: in a new pane, or, by `run-shell -b`, in none."""
        command = f"cd {shlex.quote(str(at or self.layout.project))}; {command}"
        subprocess.run(["tmux", "-L", server, *how, command], env=self.environment, check=True, timeout=STEP_LIMIT)

    def ask_panes(self, stage: str, of: str, *servers: str, at: Path | None = None) -> None:
        """Asks for the session in a pane of each server, and in a command that it runs without a pane. `of` is a probe of the
        session that started the servers."""
        asked = set()
        for server in servers:
            for how in (("new-window", "-d"), ("run-shell", "-b")):
                label = f"{server}-{how[0]}-{stage}"
                self.in_server(server, f"{self.layout.stray_command()} {label} {of}", at, how)
                asked.add(label)
        wait_until(lambda: asked <= {stray["label"] for stray in self.layout.strays()}, f"answer of {sorted(asked)}")

    def kill_client_of(self, label: str) -> None:
        """Kills the client that a probe ran in with SIGKILL; the process that started the client lives on."""
        os.kill(next(int(probe["pid"]) for probe in self.layout.probes() if probe["label"] == label), signal.SIGKILL)

    def wait_ended(self, label: str) -> None:
        """Waits until the client that a probe ran in is gone, after its launcher was killed."""
        pid = next(probe["pid"] for probe in self.layout.probes() if probe["label"] == label)
        # A zombie still has a folder in /proc, but no executable.
        wait_until(lambda: not Path("/proc", pid, "exe").exists(), f"end of the client {pid}")
        self.running -= 1

    def wait_no_client(self) -> None:
        """Waits until no client runs any more, whoever started it."""
        def clients() -> list[Path]:
            return [entry for entry in Path("/proc").glob("[0-9]*/exe") if program_of(entry) == "claude"]
        wait_until(lambda: not clients(), "end of the last client")
        self.running = 0

    def session_of(self, label: str) -> str:
        """Returns the session that a probe ran in, as the client says."""
        return next(probe["session_id"] for probe in self.layout.probes() if probe["label"] == label)

    def look(self, label: str, live: Sequence[str] = (), pointer: str = "", abandoned: Sequence[str] = (),
             at: Path | None = None) -> None:
        """Asks `ccsession` from a shell outside every session, in the project or in the directory `at`.

        Records the answers, and what they must be. A probe of each session names the live ones, the one in the pointer
        (by default the only live one, else none), and the abandoned ones; all others have ended.
        """
        at = at or self.layout.project
        pointer = pointer or (live[0] if len(live) == 1 else "")
        told = {"json": ["current", "--json"], "printed": ["current", "--strict"],
                "listed": ["list", "--json", "--project", "."], "all": ["list", "--ended", "--json", "--project", "."]}
        entry = {"label": label, "at": str(at), "live": list(live), "pointer": pointer, "abandoned": list(abandoned),
                 "pointed": self.layout.pointer.read_text().split()[:1] if self.layout.pointer.exists() else []}
        for name, arguments in told.items():
            done = subprocess.run([str(self.layout.local_bin / "ccsession"), *arguments], cwd=at, text=True,
                                  env=self.environment, stdin=subprocess.DEVNULL, capture_output=True)
            entry[name] = {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
        with open(self.layout.looks_log, "a") as log:
            log.write(json.dumps(entry) + "\n")

    def ccsession(self, *arguments: str) -> str:
        """Runs `ccsession` outside every session and returns what it prints."""
        command = [str(self.layout.local_bin / "ccsession"), *arguments]
        return subprocess.run(command, env=self.environment, cwd=self.layout.project, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    def clock_in(self, label: str, *arguments: str) -> str:
        """Clocks in before the client starts, and returns the id of the session in which the probe `label` will run."""
        printed = self.ccsession("clock-in", "--quiet", *arguments)
        self.layout.clocked(label).write_text(printed)
        return printed.strip()

    def cleanup(self) -> None:
        self.ccsession("cleanup")

    def text(self, label: str, of: str, *arguments: str) -> None:
        """Clocks out the session of a probe, and keeps its archive's text as `out/LABEL.text`."""
        path = Path(self.ccsession("clock-out", self.session_of(of), *arguments).removesuffix("\n"))
        shutil.copy(path, self.layout.out / f"{label}.text")

    def archives(self, label: str, ended: Sequence[str], going: Sequence[str] = (), wait: bool = False) -> None:
        """Records whose end is archived, and whose is not; a probe of each session names it.

        Nobody clocks out in between: the step that the label names archived what is new. `wait` waits for a cleanup that a
        hook left running.
        """
        def listed() -> dict[str, str | None]:
            archives = json.loads(self.ccsession("archive", "list", "--all", "--json"))["archives"]
            return {archive["manifest"]["session_id"]: archive["manifest"]["ended_at"] for archive in archives}

        wanted = {self.session_of(probe) for probe in ended}
        deadline = time.monotonic() + STEP_LIMIT * wait
        while not wanted <= {session for session, end in listed().items() if end} and time.monotonic() < deadline:
            time.sleep(0.1)
        entry = {"label": label, "ended": list(ended), "going": list(going), "listed": listed()}
        with open(self.layout.archives_log, "a") as log:
            log.write(json.dumps(entry) + "\n")

    def wait_written(self, of: str, text: str) -> None:
        """Waits until the client has written a text into the transcript of a probe's session."""
        [path] = self.layout.transcripts.rglob(f"{self.session_of(of)}.jsonl")
        wait_until(lambda: text in path.read_text(), f"{text!r} in {path}")

    def lose_and_restore(self, session: str) -> None:
        """Archives a session, deletes its transcripts as the client itself does after a month, and puts them back."""
        self.ccsession("clock-out", session)
        originals = {path: path.read_bytes() for path in self.layout.transcripts.rglob("*.jsonl")
                     if session in str(path)}
        assert originals, f"no transcript of {session}"
        for path in originals:
            path.unlink()
        restored = {Path(line) for line in self.ccsession("archive", "restore", session).splitlines()}
        assert restored == originals.keys(), (restored, originals.keys())
        for path, original in originals.items():
            assert path.read_bytes() == original, f"{path} is not as it was"

    def tally(self, label: str, of: str, calls: dict[str, int]) -> None:
        """Asks from outside every session for the timeline of a probe's session. Records it, and how many calls of each kind it
        must have: `Bash running`, `Agent ok`."""
        command = [str(self.layout.local_bin / "ccsession"), "timeline", self.session_of(of), "--json"]
        done = subprocess.run(command, cwd=self.layout.project, text=True, env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True)
        entry = {"label": label, "calls": calls, "status": done.returncode, "stdout": done.stdout,
                 "stderr": done.stderr}
        with open(self.layout.tallies_log, "a") as log:
            log.write(json.dumps(entry) + "\n")


class Asked:
    """A running `claude -p`, whose output goes to `out/LABEL.{stdout,stderr}`."""

    def __init__(self, client: Client, label: str, arguments: list[str], at: Path, stdin: int, run: Sequence[str],
                 program: Path | None = None):
        self.client = client
        self.label = label
        launcher = [str(client.layout.local_bin / "ccsession"), "run", *run, "--"] if run else []
        self.command = [*launcher, str(program or client.program), "-p", *arguments]
        self.started = time.monotonic()
        self.stdout = client.layout.out / f"{label}.stdout"
        client.running += 1
        with open(self.stdout, "wb") as stdout, open(self.stdout.with_suffix(".stderr"), "wb") as stderr:
            self.process = subprocess.Popen(self.command, cwd=at, env=client.environment, stdin=stdin, stdout=stdout,
                                            stderr=stderr)

    def say(self, text: str) -> None:
        """Says something to a client that `converse` started, and waits until it has answered."""
        answered = self.answers()
        message = {"type": "user", "message": {"role": "user", "content": text}}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        wait_until(lambda: self.answers() > answered, f"answer in {self.stdout}")

    def answers(self) -> int:
        return sum(message["type"] == "result" for message in read_lines(self.stdout))

    def end(self) -> None:
        """Waits for the client's end."""
        if self.process.stdin:
            self.process.stdin.close()
        status = self.process.wait(CALL_LIMIT)
        self.client.note_end(self.label, self.command, status, time.monotonic() - self.started)

    def kill_launcher(self) -> None:
        """Kills `ccsession run` with SIGKILL. The client goes on; `Client.wait_ended` waits for its end."""
        self.process.kill()
        self.process.wait(CALL_LIMIT)

    def kill(self) -> None:
        """Kills the client with SIGKILL. The pointer stays, so the end is not noted."""
        self.process.kill()
        self.process.wait(CALL_LIMIT)
        self.client.running -= 1


class Terminal:
    """An interactive client in a separate tmux server.

    Each step waits for what it causes (a captured hook event, a file, words on the screen), then for the screen to
    come to rest, because keys that arrive while the client redraws can be lost.
    """

    def __init__(self, client: Client, label: str, arguments: tuple[str, ...]):
        self.client = client
        self.label = label
        self.layout = client.layout
        self.shots = 0
        self.is_closed = False
        self.started = time.monotonic()
        client.running += 1
        self.status_file = self.layout.out / f"{label}.status"
        # By default, new clients ask a classifier for permission, which the scripted API does not have.
        mode = "default" if installed_version(client.program.resolve().parent) == OLD_VERSION else "manual"
        self.command = [str(client.program), "--permission-mode", mode, *arguments]
        # When the terminal closes, the first shell ends and everything in it gets SIGHUP. The second shell ignores it, so
        # that it can record how the client ended.
        script = f"trap : HUP; {shlex.join(self.command)}; echo $? >{shlex.quote(str(self.status_file))}"
        script = f"sh -c {shlex.quote(script)}; sleep 600"
        self.tmux("new-session", "-d", "-s", "it", "-x", "150", "-y", "45", "-c", str(self.layout.project), script)

    def __enter__(self) -> "Terminal":
        self.wait_screen("❯")
        self.settle()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_closed:
            try:
                self.shot("end")
            finally:
                self.tmux("kill-server")

    def close(self) -> None:
        """Closes the terminal under the client, and waits for the client's end."""
        self.is_closed = True
        self.tmux("kill-session", "-t", "it")
        self.wait_exit()

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.label, "-f", "/dev/null", *arguments]
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

    def attention(self) -> dict:
        """Returns what the only live session waits for, as `ccsession list` says; the state `no session` if there is not exactly one."""
        sessions = json.loads(self.client.ccsession("list", "--json"))["sessions"]
        return sessions[0]["attention"] if len(sessions) == 1 else {"state": "no session"}

    def titled(self, text: str, source: str) -> None:
        """Waits until `ccsession list` shows this title of the only live session, and this source of the title."""
        wanted = {"text": text, "source": source}

        def title() -> object:
            sessions = json.loads(self.client.ccsession("list", "--json"))["sessions"]
            return sessions[0]["title"] if len(sessions) == 1 else None
        try:
            self.wait(lambda: title() == wanted, f"session that is called {text!r}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is called {title()}") from None

    def needs(self, state: str, is_animated: bool = False, **where: object) -> None:
        """Waits until `ccsession list` says that the session waits for `state`, with these fields, and still says so a second
        later with the same screen, unless that is animated."""
        wanted = {"state": state, **where}

        def says() -> bool:
            before = self.screen()
            is_said = wanted.items() <= self.attention().items()
            if is_said and state != "none":
                time.sleep(1)
                is_same = is_animated or self.screen() == before
                is_said = is_same and wanted.items() <= self.attention().items()
            return is_said
        try:
            self.wait(says, f"session that needs {wanted}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it says {self.attention()}") from None
        self.shot(f"needs-{state}")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Records, ten times a second, what `ccsession list` says and what is on the screen."""
        is_over = threading.Event()

        def watch() -> None:
            with open(self.layout.attention_log, "a") as log:
                while not is_over.wait(0.1) and not self.status_file.exists():
                    screen = self.screen()
                    state = self.attention()["state"]
                    # If the screen changed meanwhile, the two do not belong to the same moment.
                    if state != "no session" and self.screen() == screen:
                        entry = {"at": round(time.monotonic() - self.started, 2), "state": state, "screen": screen}
                        log.write(json.dumps(entry) + "\n")
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    def fired_count(self) -> int:
        return len(self.layout.fired())

    def settle(self) -> None:
        """Waits until the screen has not changed for half a second. While the client is busy, the screen keeps changing."""
        seen = [self.screen()]

        def rested() -> bool:
            seen.append(self.screen())
            return len(seen) > 5 and len(set(seen[-6:])) == 1
        self.wait(rested, "screen at rest")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        try:
            wait_until(condition, what)
        except TimeoutError as error:
            if not self.is_closed:
                self.shot("stuck")
            raise TimeoutError(f"{self.label}: {error}; the screen is in {self.layout.out}") from None


def program_of(entry: Path) -> str | None:
    """Returns the name of the program that a process runs, by its `/proc/PID/exe`; None if the process has ended."""
    try:
        return entry.readlink().name
    except OSError:
        return None


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + STEP_LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {STEP_LIMIT} s")
        time.sleep(0.1)
