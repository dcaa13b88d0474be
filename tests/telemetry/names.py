#!/usr/bin/env python3
"""Checks every name in src/view/otlp/names.tsv against the packages that publish OpenTelemetry's conventions.

Installs them by pip and npm into a temporary directory. A name of the conventions must be in them with the status that the
list gives, and must not be deprecated. A name of ours must not be in them; if it is, we should use the one of the conventions.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ["opentelemetry-semantic-conventions==0.66b2", "opentelemetry-util-genai==1.3b0"]
NODE = "@opentelemetry/semantic-conventions@1.45.0"
# The Python package marks every name of GenAI as deprecated, because they have moved to a separate repository.
MOVED = "Moved to the [OpenTelemetry GenAI semantic conventions repository]"
# The published packages do not say what is a release candidate; the registry of the conventions does.
CANDIDATES = re.compile(r"vcs\.(repository|owner|provider|ref\.head)\.")
PATIENCE = 600


def published(place):
    """Returns the names in the packages: the stable ones, all of them, and those that are deprecated and not moved."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", place / "python", *PYTHON], check=True,
                   timeout=PATIENCE)
    subprocess.run(["npm", "install", "--silent", "--ignore-scripts", "--prefix", place / "node", NODE], check=True, timeout=PATIENCE)
    stable, everything, deprecated = set(), set(), set()
    for path in (place / "python").rglob("*.py"):
        text = path.read_text()
        for name, about in re.findall(r'= "([a-z_]+(?:\.[a-z_]+)+)"\n(?:"""\n?(.*?)""")?', text, re.S):
            everything.add(name)
            if "/semconv/attributes/" in str(path):
                stable.add(name)
            if about.lstrip().startswith("Deprecated: ") and MOVED not in about:
                deprecated.add(name)
        everything |= set(re.findall(r'"((?:gen_ai)(?:\.[a-z_]+)+)"', text))
    for path in (place / "node").rglob("experimental_*.mjs"):
        everything |= set(re.findall(r"""['"]([a-z_]+(?:\.[a-z_]+)+)['"]""", path.read_text()))
    return stable, everything, deprecated


def faults(rows, stable, everything, deprecated):
    for name, source, status in rows:
        if source in ("ours", "claude-code"):
            if name in everything:
                yield f"{name}: the conventions have it"
        elif name not in everything:
            yield f"{name}: no package has it"
        elif name in deprecated and name not in stable:
            yield f"{name}: deprecated"
        elif (name in stable) != (status == "stable"):
            yield f"{name}: {status} is wrong"
        elif bool(CANDIDATES.match(name)) != (status == "release candidate"):
            yield f"{name}: {status} is wrong"


def main():
    lines = (ROOT / "src/view/otlp/names.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    with tempfile.TemporaryDirectory() as place:
        names = published(Path(place))
    found = list(faults(rows, *names))
    for fault in found:
        print(fault)
    print(f"{len(rows)} names, {len(found)} faults; the packages have {len(names[1])} names")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
