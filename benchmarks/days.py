"""Ten thousand patients in a PostgreSQL: the first load, a day without change, a day that touches one in a hundred.

Timed inside one process, from the connection to checked tables: what the start of Python and of the engine takes is
measured elsewhere (``start``), and is the same for each.
"""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from etl.demo.chu_demo import generate
from etl.demo.server import demo_server
from passerelle import pipeline
from passerelle.settings import load_settings

PATIENTS = int(os.environ.get("BENCHMARK_PATIENTS", "10000"))
COMMAND = "python -m benchmarks days"


def measure(folder: Path) -> Iterator[Figure]:
    """Bulk, unchanged day, next day; publishing is left out of the seconds, and done between them."""
    workspace, keys = folder / "days", folder / "keys.json"
    # A server that root starts runs as another user: its files lie where he may enter.
    with tempfile.TemporaryDirectory(dir="/tmp") as data, demo_server(Path(data) / "pg") as dsn:
        generate(dsn, PATIENTS)
        bulk = _checked(workspace, keys, dsn)
        unchanged = _checked(workspace, keys, dsn)
        generate(dsn, PATIENTS, day=1)
        day = _checked(workspace, keys, dsn)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    who = f"{PATIENTS:,} synthetic patients"
    yield Figure(f"{who}, PostgreSQL to checked OMOP tables", PATIENTS / bulk, "patients/s", "bar: 300", COMMAND)
    yield Figure(f"{who}, peak memory", memory, "GiB", "bar at 100,000: 6", COMMAND)
    yield Figure(f"{who}, a day on which nothing changed", unchanged, "s", "bar: 10 s", COMMAND)
    yield Figure(f"{who}, a day that touches 1 %", day / bulk, "× bulk", f"bar: 0.1; bulk {bulk:.1f} s", COMMAND)


def _checked(workspace: Path, keys: Path, dsn: str) -> float:
    settings = load_settings(workspace=workspace, keys_file=keys)
    with pipeline.open_job(settings, "chu_demo") as job:
        started = time.perf_counter()
        pipeline.extract(job, dsn)
        pipeline.map_tables(job)
        pipeline.check(job)
        seconds = time.perf_counter() - started
        pipeline.publish(job)
    return seconds
