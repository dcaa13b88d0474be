#!/usr/bin/env python3
"""Ships sessions through a real collector (rotel) into real trace stores, reads the spans back by their API, and compares
them with the export: ids, parents, and how many there are. Then ships everything again and compares once more.

    trace_stores.py CCSESSION DIR [STORE...]

DIR has state directories of machines, as generate.py writes them. The stores are `mlflow` and `phoenix`. Needs the packages
of requirements-trace-stores.txt, and a separate network namespace: one of the stores listens on all addresses.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from collector import free_port, run, wait_for

# How long a store may take to start, and to store what it was sent, in seconds.
STARTING, SETTLING = 300, 180


def get(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class Mlflow:
    """MLflow. It names a trace `tr-` and its id. Its client reads spans by the API of the server."""

    package = "mlflow"
    headers = "x-mlflow-experiment-id=0"

    def __init__(self, bin_dir, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [bin_dir / "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
                        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"]
        self.variables = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

    def spans(self):
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient

        client, token, found = MlflowClient(self.url), None, []
        while True:
            page = client.search_traces(locations=["0"], max_results=100, page_token=token)
            for trace in page:
                trace_id = trace.info.trace_id.removeprefix("tr-")
                found += [(trace_id, span.span_id, span.parent_id) for span in trace.data.spans]
            token = page.token
            if not token:
                return found


class Phoenix:
    """Arize Phoenix."""

    package = "arize-phoenix"
    headers = None

    def __init__(self, bin_dir, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [bin_dir / "phoenix", "serve"]
        self.variables = {"PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(self.port), "PHOENIX_GRPC_PORT": str(free_port()),
                          "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_TELEMETRY_ENABLED": "false"}

    def spans(self):
        cursor, found = None, []
        while True:
            query = urllib.parse.urlencode({"limit": 1000} | ({"cursor": cursor} if cursor else {}))
            try:
                page = get(f"{self.url}/v1/projects/default/spans?{query}")
            except urllib.error.HTTPError as err:
                # Before the first span there is no project.
                if err.code == 404 and not found:
                    return []
                raise
            found += [(it["context"]["trace_id"], it["context"]["span_id"], it.get("parent_id")) for it in page["data"]]
            cursor = page.get("next_cursor")
            if not cursor:
                return found


STORES = {"mlflow": Mlflow, "phoenix": Phoenix}


def exported(ccsession, state):
    """Returns the spans that the export has: trace, span, parent span."""
    lines = run(ccsession, state, "export", "--all", "--format", "otlp-jsonl", "--signal", "traces", "--spans", "always")
    spans = []
    for group in (group for line in lines.splitlines() for group in json.loads(line)["resourceSpans"]):
        for scope in group["scopeSpans"]:
            spans += [(span["traceId"], span["spanId"], span.get("parentSpanId")) for span in scope["spans"]]
    return spans


def settled(store, expected):
    """Reads the spans until there are as many as expected and no more arrive."""
    began, last = time.monotonic(), None
    while True:
        found = store.spans()
        if len(found) >= expected and last == len(found):
            return found
        if time.monotonic() - began > SETTLING:
            return found
        last = len(found)
        time.sleep(2)


def started(store, log):
    process = subprocess.Popen(store.command, env=os.environ | store.variables, stdout=log, stderr=log)
    began = time.monotonic()
    while time.monotonic() - began < STARTING:
        if process.poll() is not None:
            sys.exit(f"{store.package} ended with {process.returncode}; see {log.name}")
        try:
            urllib.request.urlopen(store.url, timeout=5).close()
            return process
        except OSError:
            time.sleep(1)
    process.kill()
    sys.exit(f"{store.package} did not start; see {log.name}")


def compare(name, found, expected, what):
    found = [(trace, span, above or None) for trace, span, above in found]
    if len(found) != len(set(found)):
        sys.exit(f"{name}, {what}: {len(found) - len(set(found))} spans are there twice")
    if set(found) != set(expected):
        missing, foreign = set(expected) - set(found), set(found) - set(expected)
        sys.exit(f"{name}, {what}: {len(missing)} spans are missing, {len(foreign)} are not in the export: "
                 f"{sorted(missing, key=str)[:3]}, {sorted(foreign, key=str)[:3]}")
    print(f"{name}, {what}: {len(found)} spans, all with the ids and the parents that the export has", flush=True)


def tried(name, ccsession, machines, bin_dir, agent, folder):
    store = STORES[name](bin_dir, folder)
    with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
        server = started(store, log)
        port = free_port()
        variables = os.environ | {"ROTEL_EXPORTER_PX_ENDPOINT": store.url, "ROTEL_EXPORTER_PX_PROTOCOL": "http"}
        if store.headers:
            variables["ROTEL_EXPORTER_PX_CUSTOM_HEADERS"] = store.headers
        collector = subprocess.Popen(
            [agent, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}", "--otlp-http-endpoint", f"127.0.0.1:{port}",
             "--exporters", "px:otlp", "--exporters-traces", "px"], env=variables, stdout=log, stderr=log)
        try:
            wait_for(port)
            config = folder / "config.toml"
            config.write_text(f'[ship.store]\nendpoint = "http://127.0.0.1:{port}"\nsignals = ["traces"]\nspans = "always"\n')
            states, expected = [], []
            for machine in sorted(machines.iterdir()):
                # A copy, because `ship` notes in the state what it sent.
                states.append(folder / f"{name}-{machine.name}")
                shutil.copytree(machine, states[-1])
                states[-1].chmod(0o700)
                expected += exported(ccsession, states[-1])
            for what, more in ("sent", []), ("sent again", ["--again"]):
                for state in states:
                    run(ccsession, state, "ship", "--once", *more, config=config)
                compare(name, settled(store, len(expected)), expected, what)
        finally:
            for process in collector, server:
                process.terminate()
                process.wait()


def main():
    ccsession, machines = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    import rotel

    agent = pathlib.Path(rotel.__file__).parent / "rotel-agent"
    bin_dir = pathlib.Path(sys.executable).parent
    for name in sys.argv[3:] or STORES:
        with tempfile.TemporaryDirectory() as folder:
            tried(name, ccsession, machines, bin_dir, agent, pathlib.Path(folder))


if __name__ == "__main__":
    main()
