#!/usr/bin/env python3
"""Checks with strace how every hook and command opens files. Each open is close-on-exec and truncates nothing. In a directory that
others may write to, it follows no link and cannot block, or it creates a new file. Nothing in that directory is changed by path.
"""

import collections
import re

from faults import COMMANDS, Scenario
from stage import Report, need, options

ALWAYS_OPEN = ("/dev/null", "/dev/tty")
# Where only the kernel or root can create files.
TRUSTED = ("/proc/", "/sys/", "/etc/", "/lib", "/usr/", "/share/zoneinfo/")


def opens(trace):
    """Yields the program's own system calls on files: the name, the arguments, the result."""
    is_own = False
    for line in trace.read_text(errors="replace").splitlines():
        if not (match := re.match(r"\d+\s+(\w+)\((.*)\)\s+= (.*)", line)):
            continue
        is_own = is_own or "F_GETFD" in line or match[1] == "poll"
        if is_own:
            yield match[1], match[2], match[3]


def judge(call, arguments, shared):
    """Returns why a call is forbidden; None if it is allowed."""
    path = (re.findall(r'"([^"]*)"', arguments) or [""])[0]
    is_shared = path.startswith(shared)
    if call in ("open", "openat", "openat2", "creat"):
        if path in ALWAYS_OPEN:
            return None
        if "O_CLOEXEC" not in arguments:
            return "an open that a child would inherit"
        if "O_TRUNC" in arguments or call == "creat":
            return "an open that truncates"
        if "O_CREAT" in arguments and "O_EXCL" not in arguments and is_shared:
            return "a creation that takes what is there"
        is_bounded = any(flag in arguments for flag in ("O_NONBLOCK", "O_EXCL", "O_DIRECTORY", "O_PATH", "O_TMPFILE"))
        if not is_bounded and not path.startswith(TRUSTED):
            return "an open that may block"
        follows_none = any(flag in arguments for flag in ("O_NOFOLLOW", "O_EXCL"))
        if is_shared and path != shared and not follows_none:
            return "an open that follows a link"
    if is_shared and path != shared and call in ("chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate", "utimensat"):
        return "a change by path"
    return None


def main():
    options(len(COMMANDS), len(COMMANDS), "unused: all of them")
    need("strace")
    report = Report()
    total, flags = 0, collections.Counter()
    for name in COMMANDS:
        scenario = Scenario(name)
        scenario.reset()
        trace = scenario.stage.dir / "trace"
        # Whole strings: a shortened path would be judged as another path.
        scenario.under_strace("-s", "4096", "-e", "trace=%file,%desc", "-o", trace)
        count = 0
        for call, arguments, result in opens(trace):
            if call.startswith("open") and not result.startswith("-1"):
                count += 1
                flags.update(re.findall(r"O_\w+", arguments))
            if why := judge(call, arguments, str(scenario.stage.pointers)):
                report.fault(f"{name}: {why}: {call}({arguments[:160]})")
        total += count
        report.row(name, f"{count} opens", "")
        scenario.close()
    counts = ", ".join(f"{count} {flag}" for flag, count in flags.most_common() if flag != "O_RDONLY")
    report.row("all", f"{total} opens", counts)
    report.end()


main()
