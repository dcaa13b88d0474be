#!/usr/bin/env python3
"""Ships sessions through a real collector (rotel), in both encodings and twice, and compares what comes out with the export.

    collector.py CCSESSION DIR

DIR has state directories of machines, as generate.py writes them. Needs the packages of requirements-collector.txt.
"""

import gzip
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

# Tokens are counted from transcripts at the time of export or shipping, so these records are not compared.
USAGE = "ccsession.usage"


class Store(http.server.BaseHTTPRequestHandler):
    """Receives what the collector passes on: the ids of spans and log records, and how many arrived."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    spans, logs, items = set(), set(), 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with Store.lock:
            if self.path == "/v1/traces":
                request = ExportTraceServiceRequest.FromString(body)
                for group in request.resource_spans:
                    for scope in group.scope_spans:
                        Store.items += len(scope.spans)
                        Store.spans.update((span.trace_id.hex(), span.span_id.hex()) for span in scope.spans)
            elif self.path == "/v1/logs":
                request = ExportLogsServiceRequest.FromString(body)
                for group in request.resource_logs:
                    for scope in group.scope_logs:
                        Store.items += sum(it.event_name != USAGE for it in scope.log_records)
                        Store.logs.update(uid(it.attributes) for it in scope.log_records if it.event_name != USAGE)
            else:
                raise SystemExit(f"nothing is at {self.path}")
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def uid(attributes):
    return next(it.value.string_value for it in attributes if it.key == "log.record.uid")


def exported(ccsession, state):
    """Returns the ids of the spans and log records that the export has."""
    lines = []
    for signal in "traces", "logs":
        lines += run(ccsession, state, "export", "--all", "--format", "otlp-jsonl", "--signal", signal).splitlines()
    spans, logs = set(), set()
    for line in map(json.loads, lines):
        for group in line.get("resourceSpans", []):
            for scope in group["scopeSpans"]:
                spans.update((span["traceId"], span["spanId"]) for span in scope["spans"])
        for group in line.get("resourceLogs", []):
            for scope in group["scopeLogs"]:
                for record in scope["logRecords"]:
                    if record["eventName"] == USAGE:
                        continue
                    values = {it["key"]: it["value"] for it in record["attributes"]}
                    logs.add(values["log.record.uid"]["stringValue"])
    return spans, logs


def run(ccsession, state, *arguments, config=None):
    variables = {"PATH": os.environ["PATH"], "HOME": str(state), "CCSESSION_STATE_DIR": str(state)}
    if config:
        variables["CCSESSION_CONFIG"] = str(config)
    done = subprocess.run([ccsession, *arguments], env=variables, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments}: {done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"nothing listens on port {port}")


def settled(expected):
    """Waits until everything has arrived: the collector answers before it has passed anything on."""
    for _ in range(600):
        with Store.lock:
            if Store.items >= expected:
                return
        time.sleep(0.1)
    sys.exit(f"{Store.items} of {expected} items came through")


def main():
    ccsession, machines = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    import rotel

    agent = pathlib.Path(rotel.__file__).parent / "rotel-agent"
    store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    grpc, port = free_port(), free_port()
    variables = os.environ | {
        "ROTEL_EXPORTER_PX_ENDPOINT": f"http://127.0.0.1:{store.server_port}",
        "ROTEL_EXPORTER_PX_PROTOCOL": "http",
    }
    arguments = ["start", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint", f"127.0.0.1:{port}",
                 "--exporters", "px:otlp", "--exporters-traces", "px", "--exporters-logs", "px"]
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "config.toml")
        protocols = ["http/json", "http/protobuf"]
        config.write_text("".join(
            f'[ship.{protocol[5:]}]\nendpoint = "http://127.0.0.1:{port}"\nprotocol = "{protocol}"\nspans = "always"\n'
            for protocol in protocols))
        collector = subprocess.Popen([agent, *arguments], env=variables, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            expected_spans, expected_logs, sent = set(), set(), 0
            for machine in sorted(machines.iterdir()):
                # A copy, because `ship` notes in the state what it sent. Nobody else may enter a state directory.
                state = pathlib.Path(folder, machine.name)
                shutil.copytree(machine, state)
                state.chmod(0o700)
                spans, logs = exported(ccsession, state)
                expected_spans |= spans
                expected_logs |= logs
                for protocol in protocols:
                    run(ccsession, state, "ship", protocol[5:], "--once", config=config)
                    sent += len(spans) + len(logs)
                    settled(sent)
                    print(f"{state.name}, {protocol}: {len(spans)} spans and {len(logs)} log records")
                # Nothing is new, so nothing may be sent.
                run(ccsession, state, "ship", "--once", config=config)
        finally:
            collector.terminate()
            collector.wait()
        time.sleep(0.5)
    if (Store.spans, Store.logs) != (expected_spans, expected_logs):
        sys.exit("what came through is not what is exported: "
                 f"{len(expected_spans ^ Store.spans)} spans and {len(expected_logs ^ Store.logs)} log records differ")
    if Store.items != sent:
        sys.exit(f"{Store.items} items came through, and {sent} were sent")
    print(f"the same {len(Store.spans)} spans and {len(Store.logs)} log records came through, in both encodings")


if __name__ == "__main__":
    main()
