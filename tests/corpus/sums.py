"""Tokens and calls of all sessions, summed by day, project, model and so on, as `stats --by` must have them."""
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from counter import Count, Used, total

GROUPINGS = ("day", "week", "month", "project", "branch", "model", "session", "agent", "tool")
NAMES = ("messages", "input", "output", "cache_read", "cache_creation")
# What a group is known by, where its name is not enough or may be anything.
KNOWN_BY = {"project": "root", "session": "session_id"}
UNKNOWN = "unknown"


@dataclass
class Message:
    """A message, and the session that made it."""
    session: str
    count: Count
    used: Used

    @property
    def at(self) -> float:
        return self.used.at if self.used.at is not None else self.count.start or 0.0


class Everything:
    """The messages and calls of all sessions, each once. A fork has copies of its origin's: those are the older one's."""

    def __init__(self, counted: dict[str, Count]) -> None:
        self.messages: dict[tuple[str, str, str], Message] = {}
        self.calls: dict[tuple[str, str], tuple[str, float]] = {}
        for session, count in sorted(counted.items(), key=lambda it: (it[1].start or 0.0, last(it[1]))):
            count.branches.sort()
            for key, used in count.messages.items():
                self.messages.setdefault((*key, used.record), Message(session, count, used))
            for call, tool in count.calls.items():
                self.calls.setdefault((call, count.records[call]), (tool, count.began.get(call, count.start or 0.0)))

    def middle(self) -> str | None:
        """The day in the middle of all messages."""
        times = sorted(message.at for message in self.messages.values())
        return day(times[len(times) // 2]).date().isoformat() if times else None

    def since(self, since: str | None) -> Iterator[Message]:
        return (it for it in self.messages.values() if since is None or is_since(it.used.at, since))


def last(count: Count) -> float:
    return max((used.at for used in count.messages.values() if used.at is not None), default=0.0)


def day(at: float) -> datetime:
    """The time by the local clock."""
    return datetime.fromtimestamp(at).astimezone()


def is_since(at: float | None, since: str) -> bool:
    return at is not None and at >= datetime.fromisoformat(since).timestamp()


def group_of(by: str, message: Message) -> tuple[str, ...]:
    count, used = message.count, message.used
    local = day(message.at)
    match by:
        case "day":
            return (local.date().isoformat(),)
        case "week":
            year, week, _ = local.isocalendar()
            return (f"{year}-W{week:02}",)
        case "month":
            return (f"{local:%Y-%m}",)
        case "project":
            return (count.directory or "",)
        case "branch":
            return name_of(count.directory or ""), branch_at(count, message.at)
        case "model":
            return (used.model,)
        case "session":
            return (message.session,)
        case "agent":
            if used.agent is None:
                return ("main",)
            return (count.kinds.get(used.agent) or count.asked.get(used.agent) or UNKNOWN,)
    raise ValueError(by)


def name_of(directory: str) -> str:
    return directory.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]


def branch_at(count: Count, at: float) -> str:
    """The branch at the last prompt before, or else at the first one, or else at the start."""
    place = bisect_right(count.branches, at, key=lambda it: it[0])
    if count.branches:
        return count.branches[max(place - 1, 0)][1]
    return count.branch or UNKNOWN


def known_by(by: str, group: dict) -> tuple[str, ...]:
    if by == "branch":
        return group["project"], group["name"]
    return (group[KNOWN_BY.get(by, "name")],)


def groups_are_counted(everything: Everything, asked: dict, by: str, since: str | None) -> Iterator[str]:
    if by == "tool":
        yield from calls_are_counted(everything, asked, since)
        return
    expected = defaultdict(list)
    for message in everything.since(since):
        expected[group_of(by, message)].append(message.used)
    found = {known_by(by, group): [group[name] for name in NAMES] for group in asked["groups"]}
    for group in expected.keys() | found.keys():
        sums = total(expected.get(group, ()))
        if found.get(group, total(())) != sums:
            yield f"{' '.join(group)!r} has {found.get(group)}, the transcripts have {sums}"
    sums = total(message.used for message in everything.since(since))
    if [asked["total"][name] for name in NAMES] != sums:
        yield f"the total is {asked['total']}, the transcripts have {sums}"


def calls_are_counted(everything: Everything, asked: dict, since: str | None) -> Iterator[str]:
    expected: defaultdict[str, int] = defaultdict(int)
    for tool, began in everything.calls.values():
        expected[tool] += since is None or is_since(began, since)
    found = {group["name"]: group["calls"] for group in asked["groups"]}
    for tool in expected.keys() | found.keys():
        if found.get(tool, 0) != expected.get(tool, 0):
            yield f"{tool!r} has {found.get(tool, 0)} calls, the transcripts have {expected.get(tool, 0)}"


def rows_are_counted(everything: Everything, asked: dict, since: str | None) -> Iterator[str]:
    """By session, agent and model."""
    expected = defaultdict(list)
    for message in everything.since(since):
        expected[(message.session, message.used.agent, message.used.model)].append(message.used)
    found = {(row["session_id"], row["agent_id"], row["model"]): [row[name] for name in NAMES] for row in asked["tokens"]}
    for row in expected.keys() | found.keys():
        sums = total(expected.get(row, ()))
        if found.get(row, total(())) != sums:
            yield f"{row} has {found.get(row)}, the transcripts have {sums}"
