"""A tool hook in Python, with which `cargo bench --bench hooks` compares ours.

Does only what pre-tool-use does: reads one JSON object from stdin, checks the session id, appends one
line to that session's journal. It is kept lean on purpose (no datetime, no pathlib, no argparse), so
that the ratio shows the cost of the interpreter and not of a slow script.
"""

import json
import os
import re
import sys
import time

SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def main():
    payload = json.loads(sys.stdin.buffer.read())
    session_id = payload.get("session_id", "")
    if not SESSION_ID.fullmatch(session_id) or session_id == "unknown":
        return

    now = time.time_ns()
    seconds, micros = now // 10**9, now % 10**9 // 1000
    line = {
        "v": 1,
        "ts": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06}Z",
        "mono": time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000,
        "event": payload.get("hook_event_name"),
        "session_id": session_id,
        "pid": int(os.environ["CLAUDE_PID"]),
        "tool": payload.get("tool_name"),
        "tool_use_id": payload.get("tool_use_id"),
        "prompt_id": payload.get("prompt_id"),
        "what": payload.get("tool_input", {}).get("description"),
    }

    # As in the real journal: no O_CREAT, one write, a newline before and after.
    state = os.environ["CCSESSION_STATE_DIR"]
    journal = os.open(
        f"{state}/sessions/{session_id}/events.jsonl",
        os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW,
    )
    os.write(journal, b"\n" + json.dumps(line, separators=(",", ":")).encode() + b"\n")


main()
