"""A figure and what stands beside it: its baseline, measured in the same run, and the command that gives it."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    what: str
    value: float
    unit: str
    baseline: str
    command: str

    def row(self) -> str:
        return f"| {self.what} | {self.value:,.3g} {self.unit} | {self.baseline} | `{self.command}` |"


def seconds(work: Callable[[], object], runs: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median of a few runs.

    Args:
        clock: ``time.process_time`` for the CPU time of this process and its threads, where others use the machine.
    """
    times = []
    for _ in range(runs):
        started = clock()
        work()
        times.append(clock() - started)
    return sorted(times)[runs // 2]


def machine_facts() -> list[str]:
    """What the figures depend on."""
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20 if Path("/proc/meminfo").exists() else 0
    packages = ", ".join(f"{name} {version(name)}" for name in ("pysail", "pyspark", "deltalake", "pyarrow"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}",
        packages,
        f"load average when the measurements began: {load}",
    ]
