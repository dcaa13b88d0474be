"""A scripted stand-in for the model's API (standard library only), on a port of 127.0.0.1.

A conversation is a list of turns. Each turn is what the model says next:

    {"text": "…", "thinking": "…", "calls": [{"name": "Bash", "input": {…}}, …]}
    {"error": {"status": 400, "type": "invalid_request_error", "message": "…"}}

The last marker `RUN:NAME` in the user's messages chooses the conversation, and the number of assistant messages after
that marker chooses the turn. So nothing is kept between requests: several clients, subagents (their prompt has the marker),
resumed sessions and retries all work. `@WORD@` in a turn is replaced from `words`. Thinking is signed as by the real API,
with a signature as long and as random as a key.
"""
import base64
import hashlib
import itertools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MARKER = re.compile(r"RUN:([A-Za-z0-9_-]+)")
TELEMETRY = ("/v1/traces", "/v1/logs", "/v1/metrics")
COMPACTION = "Your task is to create a detailed summary"
SUMMARY = "<analysis>scripted</analysis>\n<summary>\nScripted summary of the conversation so far.\n</summary>"


class FakeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, conversations: dict[str, list[dict]], words: dict[str, str], log: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.conversations = conversations
        self.words = words
        self.log = log
        # The telemetry that the client sends.
        self.native_log = log.with_name("native.jsonl")
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def record(self, entry: dict, path: Path | None = None) -> None:
        with self.lock, open(path or self.log, "a") as log:
            log.write(json.dumps(entry) + "\n")

    def reply_to(self, body: dict) -> dict:
        """Returns the turn that answers a request."""
        messages = body.get("messages") or []
        users = [(i, text) for i, m in enumerate(messages) if m["role"] == "user" for text in texts(m)]
        if users and COMPACTION in users[-1][1]:
            return {"text": SUMMARY}
        marks = [(i, name) for i, text in users for name in MARKER.findall(text)]
        if not marks:
            return {"text": "a scripted reply"}
        at, name = marks[-1]
        turn = sum(m["role"] == "assistant" for m in messages[at + 1:])
        turns = self.conversations.get(name, [])
        return turns[turn] if turn < len(turns) else {"text": f"(the script {name} has no turn {turn + 1})"}

    def blocks(self, turn: dict) -> list[dict]:
        """Returns a turn as content blocks of the API."""
        blocks = []
        if thinking := turn.get("thinking"):
            blocks.append({"type": "thinking", "thinking": thinking, "signature": signature_of(thinking)})
        if turn.get("text"):
            blocks.append({"type": "text", "text": turn["text"]})
        for call in turn.get("calls", []):
            blocks.append({"type": "tool_use", "id": f"toolu_fake{next(self.numbers):04}", "name": call["name"],
                           "input": {key: self.fill(value) for key, value in call["input"].items()}})
        return blocks

    def fill(self, value):
        if isinstance(value, str):
            for word, text in self.words.items():
                value = value.replace(f"@{word}@", text)
        return value


def signature_of(thinking: str) -> str:
    return base64.b64encode(hashlib.shake_256(thinking.encode()).digest(300)).decode()


def texts(message: dict) -> list[str]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content if block.get("type") == "text"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeApi

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(200, {})

    def do_GET(self) -> None:
        self.answer(200, {})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path in TELEMETRY:
            self.server.record({"path": self.path, "body": json.loads(raw)}, self.server.native_log)
            return self.answer(200, {})
        if self.path.split("?")[0] != "/v1/messages":
            return self.answer(404, {"type": "error", "error": {"type": "not_found_error", "message": "not scripted"}})
        body = json.loads(raw)
        turn = self.server.reply_to(body)
        blocks = self.server.blocks(turn)
        called = [{"id": block["id"], "tool": block["name"]} for block in blocks if block["type"] == "tool_use"]
        self.server.record({"session_id": self.headers.get("x-claude-code-session-id"),
                            "agent_id": self.headers.get("x-claude-code-agent-id"),
                            "messages": body.get("messages"), "reply": turn, "called": called})
        if "error" in turn:
            error = turn["error"]
            return self.answer(error["status"], {"type": "error", "error": error})
        self.stream(body, blocks)

    def answer(self, status: int, value: dict) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-should-retry", "false")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self, body: dict, blocks: list[dict]) -> None:
        stop = "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn"
        usage = {"input_tokens": 1000, "output_tokens": 50}
        message = {"id": f"msg_fake{next(self.server.numbers):04}", "type": "message", "role": "assistant",
                   "model": body.get("model"), "content": [], "stop_reason": None, "stop_sequence": None,
                   "usage": usage}
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.event("message_start", message=message)
        for index, block in enumerate(blocks):
            if block["type"] == "text":
                empty, deltas = block | {"text": ""}, [{"type": "text_delta", "text": block["text"]}]
            elif block["type"] == "thinking":
                empty = block | {"thinking": "", "signature": ""}
                deltas = [{"type": f"{name}_delta", name: block[name]} for name in ("thinking", "signature")]
            else:
                text = json.dumps(block["input"])
                empty, deltas = block | {"input": {}}, [{"type": "input_json_delta", "partial_json": text}]
            self.event("content_block_start", index=index, content_block=empty)
            for delta in deltas:
                self.event("content_block_delta", index=index, delta=delta)
            self.event("content_block_stop", index=index)
        self.event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=usage)
        self.event("message_stop")
        self.wfile.write(b"0\r\n\r\n")

    def event(self, kind: str, **fields: object) -> None:
        data = f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
