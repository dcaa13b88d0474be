"""Which process runs a program, by the kernel's word alone: what clients set and how they are called differs by version."""
import os

CLIENT = "claude"


def above(pid: str) -> list[str]:
    """The processes above one, the nearest first; none of them where it has been killed meanwhile."""
    found = []
    while pid != "0" and os.path.exists(stat := f"/proc/{pid}/stat"):
        with open(stat) as file:
            pid = file.read().rpartition(")")[2].split()[1]
        found.append(pid)
    return found


def client() -> str | None:
    """The nearest client above this process; none where that is gone."""
    for pid in above(str(os.getpid())):
        try:
            program = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue  # It ends just now, or was never there: pid 0.
        if os.path.basename(program) == CLIENT:
            return pid
    return None
