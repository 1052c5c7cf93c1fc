"""The command line as a process of its own: what a person waits for."""

import json
import os
import subprocess
import sys
import time
from typing import Any


def passerelle(*words: str, **settings: str) -> tuple[float, Any]:
    """Seconds from start to end, and the JSON that it printed.

    Raises: RuntimeError: it failed; with the end of what it said.
    """
    environment = os.environ | {f"PASSERELLE_{name.upper()}": value for name, value in settings.items()}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "passerelle", *words, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return time.perf_counter() - started, json.loads(done.stdout.splitlines()[-1])
