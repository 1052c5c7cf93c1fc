"""Patients in a PostgreSQL: the first load, a day without change, a day that touches one in a hundred.

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

SIZES = tuple(int(size) for size in os.environ.get("BENCHMARK_PATIENTS", "10000,100000").split(","))  # ascending
COMMAND = "python -m benchmarks days"
BAR = "bar at 10,000"


def measure(folder: Path) -> Iterator[Figure]:
    """Bulk, unchanged day, next day, at each size; and what a patient costs where there are more of them."""
    cost = {}
    for patients in SIZES:
        with tempfile.TemporaryDirectory(dir=folder) as place:  # what the larger one writes is some gigabytes
            bulk, unchanged, day = _days(Path(place), patients)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # the highest so far
        cost[patients] = bulk / patients
        who = f"{patients:,} synthetic patients"
        yield Figure(f"{who}, PostgreSQL to checked OMOP tables", patients / bulk, "patients/s", f"{BAR}: 300", COMMAND)
        yield Figure(f"{who}, peak memory", memory, "GiB", "bar at 100,000: 6", COMMAND)
        yield Figure(f"{who}, a day on which nothing changed", unchanged, "s", f"{BAR}: 10 s", COMMAND)
        yield Figure(f"{who}, a day that touches 1 %", day / bulk, "× bulk", f"{BAR}: 0.1; bulk {bulk:.1f} s", COMMAND)
    few, many = min(SIZES), max(SIZES)
    if few < many:
        what = f"seconds of a patient among {many:,}, against {few:,}"
        yield Figure(what, cost[many] / cost[few], "×", "linear: 1; bar: 1.3", COMMAND)


def _days(folder: Path, patients: int) -> tuple[float, float, float]:
    """Seconds of each of the three; publishing is left out of them, and done between them."""
    workspace, keys = folder / "workspace", folder / "keys.json"
    # A server that root starts runs as another user: its files lie where he may enter.
    with tempfile.TemporaryDirectory(dir="/tmp") as data, demo_server(Path(data) / "pg") as dsn:
        generate(dsn, patients)
        bulk = _checked(workspace, keys, dsn)
        unchanged = _checked(workspace, keys, dsn)
        generate(dsn, patients, day=1)
        return bulk, unchanged, _checked(workspace, keys, dsn)


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
