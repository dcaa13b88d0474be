"""Checks a session's record and archive against what was counted in its transcripts."""
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from counter import Count, records, total

MARK = re.compile(r"\[redacted:[a-z-]+\]")
SPEAKERS = ("user", "assistant", "notice", "summary", "output", "tool result", "tool error")
HEADER = re.compile(rf"(?:\A|(?<=\n\n))\[({'|'.join(SPEAKERS)}|tool: [^\]\n]*)\]\n")
REWOUND = ("[rewound: what follows was abandoned]", "[end of what was abandoned]")
HEAD = re.compile(r"={80}\nClaude Code Session Export\n.*?={80}\n\n", re.DOTALL)
END = re.compile(r"={80}\nEnd of session \((\d+) messages\)\n={80}\n?\Z")
# What a transcript must keep so that the client can resume it.
NEEDED = {"type", "uuid", "parentUuid", "logicalParentUuid", "sessionId", "tool_use_id", "signature"}


class Text:
    """An archive's text, split into its sections."""

    def __init__(self, text: str) -> None:
        head, end = HEAD.match(text), END.search(text)
        self.is_whole = head is not None and end is not None
        self.body = text[head.end() if head else 0:end.start() if end else len(text)]
        self.messages = int(end[1]) if end else -1
        self.sections: list[tuple[str, str]] = []
        found = list(HEADER.finditer(self.body))
        for place, header in enumerate(found):
            until = found[place + 1].start() if place + 1 < len(found) else len(self.body)
            section = self.body[header.end():until]
            for mark in REWOUND:
                section = section.replace(f"{mark}\n\n", "")
            self.sections.append((header[1], section.removesuffix("\n\n")))
        self.by_speaker: dict[str, list[str]] = {}
        for speaker, section in self.sections:
            self.by_speaker.setdefault(speaker, []).append(section)
        self.joined = {speaker: "\0".join(all_of) for speaker, all_of in self.by_speaker.items()}

    def says(self, speaker: str, words: str) -> bool:
        """Returns whether a speaker's sections contain these words, apart from redacted secrets."""
        words = words.strip()
        if words in self.joined.get(speaker, ""):
            return True
        # A message may contain text that looks like a header.
        if HEADER.search(words) and (f"[{speaker}]\n" + words in self.body or words in self.body):
            return True
        marked = (section for section in self.by_speaker.get(speaker, ()) if MARK.search(section))
        return any(is_redacted(section, words) or is_within(section, words) for section in marked)


def is_redacted(clean: str, original: str) -> bool:
    """Returns whether `clean` is `original` with secrets redacted."""
    pattern = ".+?".join(re.escape(piece) for piece in MARK.split(clean.strip()))
    return re.fullmatch(pattern, original.strip(), re.DOTALL) is not None


def is_within(section: str, words: str) -> bool:
    """Returns whether each line of the words is in a section, apart from redacted secrets."""
    lines = section.splitlines()
    whole = set(lines)
    marked = [line for line in lines if MARK.search(line)]
    return all(line in whole or any(is_redacted(clean, line) for clean in marked) or is_cut(line, marked)
               for line in words.splitlines())


def is_cut(line: str, marked: list[str]) -> bool:
    """Returns whether a line may have been redacted as part of a secret of several lines."""
    return any("private-key" in clean for clean in marked)


def everything_is_said(count: Count, text: Text) -> Iterator[str]:
    for said in count.said:
        for block in said.blocks:
            if not text.says(said.speaker, block):
                yield f"not in the text as the {said.speaker}'s: {block[:300]!r}"


def nothing_is_said_twice(count: Count, text: Text) -> Iterator[str]:
    """Checks that each message is in the text as often as in the transcripts; one that waited in the queue may be there more often."""
    for speaker in ("user", "assistant"):
        expected = Counter("\n".join(said.blocks).strip() for said in count.said if said.speaker == speaker)
        found = Counter(section.strip() for section in text.by_speaker.get(speaker, ()))
        for words, times in expected.items():
            if words in found and not times <= found[words] <= times + count.waited[words]:
                yield f"said {found[words]} times and not {times}: {words[:200]!r}"


def messages_are_counted(text: Text) -> Iterator[str]:
    found = sum(len(text.by_speaker.get(speaker, ())) for speaker in ("user", "assistant"))
    quoted = any(HEADER.search(section) for _, section in text.sections)
    if found != text.messages and not quoted:
        yield f"the text says that it has {text.messages} messages, and has {found}"


def nothing_is_made_up(count: Count, text: Text) -> Iterator[str]:
    """Checks that each line of a message is in the transcripts."""
    known: set[str] = set()
    for string in count.strings:
        known.update(line.strip() for line in string.splitlines())
    everything = None
    for speaker, section in text.sections:
        if speaker.startswith("tool") or speaker == "output":
            continue
        for line in section.splitlines():
            bare = line.strip()
            if not bare or bare in known or bare in ("[image]", "[document]"):
                continue
            everything = everything if everything is not None else "\n".join(count.strings)
            pieces = [piece for piece in MARK.split(bare.removeprefix("! ").removeprefix("# ")) if piece.strip()]
            # The client keeps a command apart from its arguments, and a question apart from its answer.
            words = bare.split(" ", 1) if bare.startswith("/") else [bare]
            is_known = (all(piece.strip() in everything for piece in pieces)
                        or all(word.strip() in everything for word in words)
                        or is_question(bare, everything))
            if not is_known:
                yield f"in the text of the {speaker} and in no transcript: {bare[:300]!r}"


def is_question(line: str, everything: str) -> bool:
    """Returns whether a line is a question and its answer, which the client keeps apart."""
    places = (place.start() for place in re.finditer(" ", line))
    return any(line[:place] in everything and line[place + 1:].rstrip(")").replace(" (", "\0").split("\0")[0] in everything
               for place in places)


def tools_are_said(count: Count, text: Text) -> Iterator[str]:
    found = sum(speaker.startswith("tool: ") for speaker in text.by_speaker for _ in text.by_speaker[speaker])
    quoted = sum(string.count("[tool: ") for string in count.strings)
    if not count.tool_blocks <= found <= count.tool_blocks + quoted:
        yield f"the text has {found} tool calls, the transcripts have {count.tool_blocks}"


def calls_are_on_record(count: Count, timeline: dict, shared: set[str]) -> Iterator[str]:
    """Checks that each call is on record once, as its transcript says. `shared` are calls that other sessions have, too."""
    recorded = Counter(call["tool_use_id"] for call in timeline["calls"])
    states = {call["tool_use_id"]: call for call in timeline["calls"]}
    for call, times in recorded.items():
        if times > 1:
            yield f"call {call} is there {times} times"
        if call not in count.calls:
            yield f"call {call} is in no transcript"
    for call, tool in count.calls.items():
        if call in shared:
            continue
        if call not in states:
            yield f"call {call} ({tool}) is not on record"
            continue
        state, end = states[call]["state"], count.ends.get(call)
        allowed = {"ok": ("ok",), "not ok": ("failed", "denied", "abandoned"), "denied": ("denied", "abandoned"),
                   None: ("abandoned", "running")}[end]
        if end == "ok" and states[call]["error"] == "interrupted":
            allowed = ("failed",)
        if states[call]["tool"] != tool and not MARK.search(states[call]["tool"]):
            yield f"call {call} is of {states[call]['tool']}, the transcript says {tool}"
        if state not in allowed and not (states[call]["background"] and end == "ok"):
            yield f"call {call} ({tool}) is {state}, its result says {end}"


def prompts_are_on_record(count: Count, timeline: dict) -> Iterator[str]:
    if len(timeline["prompts"]) != count.prompts:
        yield f"{len(timeline['prompts'])} prompts are on record, the transcripts have {count.prompts}"


def tokens_are_counted(count: Count, stats: dict) -> Iterator[str]:
    names = ("messages", "input", "output", "cache_read", "cache_creation")
    found = [sum(row[name] for row in stats["tokens"]) for name in names]
    if found != total(count.messages.values()):
        yield f"tokens are {found}, the transcripts have {total(count.messages.values())}"


def is_restored(original: Path, restored: Path) -> Iterator[str]:
    """Checks that a restored file has the original's lines, apart from secrets, and that each readable line is still readable."""
    if not restored.is_file():
        yield f"{original.name} was not restored"
        return
    before, after = (path.read_bytes().split(b"\n") for path in (original, restored))
    # An unfinished last line gets a line break.
    if len(after) == len(before) + 1 and after[-1] == b"":
        before.append(b"")
    if len(before) != len(after):
        yield f"{original.name} has {len(after) - 1} lines and not {len(before) - 1}"
        return
    for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
        if one != other:
            yield from (f"{original.name}:{number}: {why}" for why in changed(one, other))


def changed(before: bytes, after: bytes) -> Iterator[str]:
    old, new = before.decode("utf-8", "replace"), after.decode("utf-8", "replace")
    if old == new:
        return
    if not MARK.search(new):
        yield f"it differs, and no secret was redacted: {first_difference(old, new)}"
        return
    try:
        was = json.loads(old)
    except ValueError:
        if len(list(records(before))) != len(list(records(after))):
            yield "it has other records"
        return
    try:
        now = json.loads(new)
    except ValueError as err:
        yield f"it is not JSON any more: {err}"
        return
    yield from different(was, now, "")


def first_difference(old: str, new: str) -> str:
    place = next((place for place, (one, other) in enumerate(zip(old, new, strict=False)) if one != other),
                 min(len(old), len(new)))
    return f"{old[max(0, place - 40):place + 40]!r} became {new[max(0, place - 40):place + 40]!r}"


def different(was: object, now: object, where: str) -> Iterator[str]:
    key = where.rsplit(".", 1)[-1]
    if isinstance(was, dict) and isinstance(now, dict) and len(was) == len(now):
        for (one, old), (other, new) in zip(was.items(), now.items(), strict=True):
            if one != other and not MARK.search(other):
                yield f"{where}: `{one}` became `{other}`"
            yield from different(old, new, f"{where}.{one}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for old, new in zip(was, now, strict=True):
            yield from different(old, new, where)
    elif isinstance(was, str) and isinstance(now, str):
        if was != now and (key in NEEDED or not is_redacted(now, was)):
            yield f"{where}: {first_difference(was, now)}"
    elif was != now:
        # A number, `true`, `false` or `null` may be part of a secret, too.
        if not (isinstance(now, str) and MARK.fullmatch(now)):
            yield f"{where}: {was!r} became {now!r}"[:300]
