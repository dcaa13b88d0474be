"""Finds the processes above this one from the kernel alone: which variables clients set, and their names, differ by version."""
import os

CLIENT = "claude"


def above(pid: str) -> list[str]:
    """Returns the processes above one, the nearest first; the list ends early if one of them has been killed meanwhile."""
    found = []
    while pid != "0" and os.path.exists(stat := f"/proc/{pid}/stat"):
        with open(stat) as file:
            pid = file.read().rpartition(")")[2].split()[1]
        found.append(pid)
    return found


def client() -> str | None:
    """Returns the nearest client above this process; None if that is gone."""
    for pid in above(str(os.getpid())):
        try:
            program = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue  # The process has just ended, or there is none: pid 0.
        if os.path.basename(program) == CLIENT:
            return pid
    return None
