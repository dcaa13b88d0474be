"""Plays one run of a scenario, closed off from the machine: with its own network, processes, /tmp, home, project and state.

`play` works outside and starts this file again inside fresh namespaces, where `main` does the rest. Their network has only a
loopback device, so the run is offline. Its processes end with the run.
"""
import fcntl
import json
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path

import account
from client import OLD_VERSION, Client, Clients, Unavailable, installed_version
from fake_api import FakeApi
from layout import Layout, python_command
from scenarios import SCENARIOS, Scenario

HERE = Path(__file__).resolve().parent
HOOKS = ("session-start", "pre-tool-use", "post-tool-use", "session-event")
# With the capture hook alone; with our hooks beside it; with our hooks, each run by the witness.
PLAIN, HOOKED, WITNESSED = "plain", "ours", "witness"

RUN_LIMIT = 180
# How long something that a hook left behind (a sweep) may outlive the client, in seconds.
LEFTOVER_LIMIT = 5

# Every event the client knows, except WorktreeCreate: a hook on that one replaces what the client itself does.
EVENTS = """
SessionStart SessionEnd Setup UserPromptSubmit UserPromptExpansion Stop StopFailure MessageDisplay Notification
PreToolUse PostToolUse PostToolUseFailure PostToolBatch PermissionRequest PermissionDenied
SubagentStart SubagentStop TeammateIdle TaskCreated TaskCompleted
PreCompact PostCompact PreModelSwitch PostModelSwitch InstructionsLoaded ConfigChange
CwdChanged FileChanged DirectoryAdded WorktreeRemove Elicitation ElicitationResult
""".split()
# Events that the old client does not know: at a terminal it would ask about them.
NEW_EVENTS = {"DirectoryAdded", "PreModelSwitch", "PostModelSwitch"}
ALLOWED = ["Bash", "Read", "Write", "Edit", "Agent", "EnterWorktree", "ExitWorktree"]
API_KEY = "not-a-real-key"


def namespaces(own_processes: bool = True) -> list[str]:
    """Returns the command that runs another one in separate namespaces, as this machine permits it."""
    command = ["unshare", "--net", "--mount", "--fork", "--kill-child", *["--pid", "--mount-proc"] * own_processes]
    if shutil.which("unshare") is None:
        raise Unavailable("unshare (util-linux) is missing")
    for candidate in (command, [*command, "--map-root-user"]):
        tried = subprocess.run([*candidate, "true"], capture_output=True, text=True)
        if tried.returncode == 0:
            return candidate
    raise Unavailable(f"namespaces are not permitted here: {tried.stderr.strip()}")


def play(scenario: Scenario, variant: str, layout: Layout, clients: Clients, binaries: Path) -> None:
    """Plays a scenario in a fresh run folder.

    Raises `RuntimeError` if the scenario could not be played to its end; `out/driver.log` then says why.
    """
    shutil.rmtree(layout.root, ignore_errors=True)
    make_folders(layout, clients)
    if variant != PLAIN:
        copy_binaries(binaries, layout)
    log = layout.out / "driver.log"
    command = [*namespaces(), sys.executable, "-sEB", __file__, scenario.name, variant, str(layout.root),
               str(clients.outer), str(clients.inner)]
    with open(log, "wb") as output:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=RUN_LIMIT)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"not done within {RUN_LIMIT} s ({log})") from None
    if done.returncode != 0:
        last = (log.read_text().strip() or f"status {done.returncode}").splitlines()[-1]
        raise RuntimeError(f"{last} ({log})")


def make_folders(layout: Layout, clients: Clients) -> None:
    below = layout.project / "sub/deep"
    for folder in (layout.settings.parent, layout.local_bin, layout.inner_bin, layout.out, layout.pointer_dir, below):
        folder.mkdir(parents=True)
    (layout.local_bin / "claude").symlink_to(clients.outer)
    (layout.inner_bin / "claude").symlink_to(clients.inner)
    (layout.project / "README.md").write_text("# demo\n")
    (layout.project / "notes.txt").write_text("alpha\nbeta\n")
    (below / "f.txt").write_text("deep\n")
    # The commit is always the same: the client tells the model its hash, which must not differ between two runs.
    settled = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", "t"), ("EMAIL", "t@example.invalid"), ("DATE", "2026-01-01T00:00:00Z"))}
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "init"]):
        subprocess.run(["git", *arguments], cwd=layout.project, check=True,
                       env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", **settled})


def copy_binaries(binaries: Path, layout: Layout) -> None:
    layout.libexec.mkdir(parents=True)
    for name, folder in [("ccsession", layout.local_bin), *((hook, layout.libexec) for hook in HOOKS)]:
        shutil.copy(binaries / name, folder / name)


def main(name: str, variant: str, root: str, outer: str, inner: str) -> None:
    """Plays a scenario. Runs inside the namespaces, as their first process."""
    scenario, layout = SCENARIOS[name], Layout(Path(root))
    close_off(visible=[layout.root, Path(outer).parent, Path(inner).parent, HERE])
    words = {"RUN": str(layout.root), "PROJECT": str(layout.project), "PROBE": layout.probe_command(),
             "STRAY": layout.stray_command(), "DEEP": shlex.join(["sh", str(HERE / "programs/deep.sh")]),
             "OUTER": str(layout.local_bin / "claude"), "INNER": str(layout.inner_bin / "claude")}
    api = FakeApi(scenario.conversations, words, layout.api_log)
    api.start()
    api.words["API"] = api.url
    hooks = {event: api.fill(command) for event, command in scenario.hooks.items()}
    own = {name: api.fill(value) for name, value in scenario.environment.items()}
    environment = client_environment(layout, api.url) | own
    is_old = OLD_VERSION in (installed_version(Path(program).parent) for program in (outer, inner))
    seed_client(layout, scenario, hooks, [event for event in EVENTS if not (is_old and event in NEW_EVENTS)])
    if variant != PLAIN:
        install_ours(layout, environment)
        if scenario.doubled:
            install_again(layout, environment)
    if variant == WITNESSED:
        put_under_witness(layout)
    try:
        scenario.play(Client(layout, environment))
    finally:
        (layout.out / "leftovers.json").write_text(json.dumps(leftovers(layout)))
    if variant != PLAIN:
        account.take(layout, environment)
        if scenario.traced:
            account.export(layout, environment)


def close_off(visible: list[Path]) -> None:
    """Brings loopback up and mounts an empty /tmp, where the client keeps sockets, over the machine's own.

    Paths that must stay visible and are below /tmp are mounted there again.
    """
    below = [path for path in visible if path.is_relative_to("/tmp")]
    handles = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in below]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"], check=True)
    for path, handle in zip(below, handles):
        path.mkdir(parents=True, exist_ok=True)
        source = f"/proc/self/fd/{handle}"
        subprocess.run(["mount", "--no-canonicalize", "--bind", source, str(path)], pass_fds=[handle], check=True)
        os.close(handle)
    set_flags, up_and_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


def client_environment(layout: Layout, api: str) -> dict[str, str]:
    """Returns the client's whole environment. It has nothing of the caller's."""
    return {
        "PATH": f"{layout.local_bin}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(layout.home),
        "USER": "root",
        "SHELL": "/bin/bash",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "CCSESSION_STATE_DIR": str(layout.state),
        "CCSESSION_POINTER_DIR": str(layout.pointer_dir),
        "ANTHROPIC_BASE_URL": api,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def seed_client(layout: Layout, scenario: Scenario, hooks: dict[str, str], events: list[str]) -> None:
    """Writes the client's own files: onboarding done, tools allowed, the capture hook for these events, and the
    scenario's own hooks."""
    state = {"hasCompletedOnboarding": True, "theme": "dark", "numStartups": 5,
             "customApiKeyResponses": {"approved": [API_KEY], "rejected": []},
             "projects": {str(layout.project): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}}}
    (layout.home / ".claude.json").write_text(json.dumps(state))
    capture = {"type": "command", "command": python_command("capture.py", layout.fired_log)}
    settings = {"permissions": {"allow": ALLOWED, "deny": list(scenario.denied)},
                "hooks": {event: [{"hooks": [capture]}] for event in events}}
    for event, command in hooks.items():
        settings["hooks"][event].append({"hooks": [{"type": "command", "command": command}]})
    if scenario.refusing:
        refuse = f"if grep -q {shlex.quote(scenario.refusing)}; then echo refused >&2; exit 2; fi"
        settings["hooks"]["PreToolUse"].append({"hooks": [{"type": "command", "command": refuse}]})
    layout.settings.write_text(json.dumps(settings, indent=2))
    shutil.copy(layout.settings, layout.settings_before)


def install_ours(layout: Layout, environment: dict[str, str]) -> None:
    command = [str(layout.local_bin / "ccsession"), "install", "--scope", "user"]
    done = subprocess.run(command, cwd=layout.project, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    (layout.out / "install.log").write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"`ccsession install --scope user` ended with {done.returncode}: {done.stderr.strip()}")
    shutil.copy(layout.settings, layout.settings_installed)


def install_again(layout: Layout, environment: dict[str, str]) -> None:
    """Installs a second copy of our hooks from another folder, for the project: the client runs the same command only once."""
    for folder in (layout.local_bin, layout.libexec):
        copy = layout.second / folder.relative_to(layout.home / ".local")
        shutil.copytree(folder, copy, symlinks=True)
    command = [str(layout.second / "bin/ccsession"), "install", "--scope", "project"]
    done = subprocess.run(command, cwd=layout.project, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    (layout.out / "install-again.log").write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"`ccsession install --scope project` ended with {done.returncode}: {done.stderr.strip()}")


def put_under_witness(layout: Layout) -> None:
    settings = json.loads(layout.settings.read_text())
    for _, hook in layout.our_hooks(settings):
        hook.pop("args", None)
        hook["command"] = python_command("witness.py", layout.witness_log, *shlex.split(hook["command"]))
    layout.settings.write_text(json.dumps(settings, indent=2))


def leftovers(layout: Layout) -> dict[str, list[str]]:
    """Returns what the session left outside its own folders: our processes, and pointers in the real /tmp."""
    deadline = time.monotonic() + LEFTOVER_LIMIT
    while (processes := our_processes(layout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return {"processes": processes, "pointers": [str(path) for path in Path("/tmp").glob("claude_session_*")]}


def our_processes(layout: Layout) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/exe"):
        try:
            program = entry.readlink()
        except OSError:
            continue  # The process has ended meanwhile.
        if program.is_relative_to(layout.home):
            found.append(f"{entry.parent.name} {program}")
    return found


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception:
        traceback.print_exc()
        sys.exit(1)
