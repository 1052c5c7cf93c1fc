"""How long a person waits before the command line says anything."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, seconds


def measure(_: Path) -> Iterator[Figure]:
    """``passerelle --help`` against a Python that starts and does nothing."""
    bare = seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True), runs=5)
    help_page = [sys.executable, "-m", "passerelle", "--help"]
    ours = seconds(lambda: subprocess.run(help_page, check=True, stdout=subprocess.DEVNULL), runs=5)
    yield Figure("passerelle --help", ours, "s", f"python -c '': {bare:.2f} s", "passerelle --help")
