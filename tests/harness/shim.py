"""Builds the programs so that shim.c can intercept their system calls: linked dynamically, and calling libc."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from stage import ROOT, need, skip


def build():
    """Builds the programs and the shim. Returns the paths of both."""
    need("cc", "cargo")
    shim = Path(tempfile.mkdtemp(prefix="ccsession-shim-")) / "shim.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, Path(__file__).with_name("shim.c"), "-ldl"], check=True)
    target = ROOT / "target/libc"
    env = os.environ | {"RUSTFLAGS": "--cfg rustix_use_libc"}
    built = subprocess.run(["cargo", "build", "--locked", "--quiet", "--bins", "--target-dir", target], cwd=ROOT, env=env)
    if built.returncode:
        skip("the programs cannot be built with rustix_use_libc")
    return target / "debug", shim


def remove(shim):
    shutil.rmtree(shim.parent, ignore_errors=True)
