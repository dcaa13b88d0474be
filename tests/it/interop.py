"""The older Python tools' reader and writer of the pointer, made from their documented steps, for python.rs.

    interop.py version              prints [3, 11]
    interop.py now                  prints the civil time
    interop.py read DIR             prints {NAME: [ANSWER, whether the file is still there]} for every pointer in DIR
    interop.py write DIR NAME ID    writes a pointer
"""

import json
import os
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

PREFIX = "claude_session_"
UNKNOWN = "unknown"
TTL = timedelta(hours=24)


def read(path):
    """The steps: is it there, are there two lines, is the second a time, is it at most a day old."""
    if not path.exists():
        return UNKNOWN
    try:
        lines = path.read_text(encoding="utf-8").strip().split("\n")
        if len(lines) < 2:
            return UNKNOWN
        written = datetime.fromisoformat(lines[1])
        if datetime.now() - written > TTL:
            path.unlink()
            return UNKNOWN
        return lines[0]
    except (ValueError, TypeError, OSError):
        return UNKNOWN


def write(folder, name, session):
    """The steps: a temporary file beside it, synchronised, the owner's alone, renamed."""
    handle, temporary = tempfile.mkstemp(prefix=f"{PREFIX}{name}_", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{session}\n{datetime.now().isoformat()}\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o600)
        os.rename(temporary, Path(folder) / f"{PREFIX}{name}")
    except BaseException:
        os.unlink(temporary)
        raise


def read_all(folder):
    answers = {}
    for path in Path(folder).glob(PREFIX + "*"):
        answer = read(path)
        answers[path.name[len(PREFIX):]] = [answer, os.path.lexists(path)]
    return answers


def main(command, *rest):
    if command == "version":
        print(json.dumps(sys.version_info[:2]))
    elif command == "now":
        print(datetime.now().isoformat())
    elif command == "read":
        print(json.dumps(read_all(*rest)))
    elif command == "write":
        write(*rest)
    else:
        sys.exit(f"there is no {command}")


main(*sys.argv[1:])
