"""The real demo extract of MIMIC-IV, from its files to the views, on the embedded engine."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.command_line import passerelle
from benchmarks.figures import Figure
from omop.lake import Lake
from passerelle.runs import STEPS
from spark_jobs import ops

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
COMMAND = "passerelle run mimic_iv --input DIR --workspace W"


def measure(folder: Path) -> Iterator[Figure]:
    """Nothing where the data is not there."""
    if not DATA.is_dir():
        return
    workspace = ["--workspace", str(folder / "mimic")]
    passerelle("vocabulary", "load", str(DATA / "omop-vocabulary-subset"), *workspace)
    run = ["run", "mimic_iv", "--input", str(DATA / "mimic-iv-demo" / "csv"), *workspace]
    first, result = passerelle(*run)
    again, _ = passerelle(*run)
    rows = sum(table["read"] for table in result["extract"]["tables"].values())
    yield Figure("MIMIC-IV demo, files to views", first, "s", "bar: 90 s on two cores", COMMAND)
    yield Figure("the same, source rows", rows / first, "rows/s", f"{rows:,} rows", COMMAND)
    took = {row["event"]: row["seconds"] for row in ops.read(Lake(folder / "mimic"), "run", result["run_id"])}
    for step in STEPS:
        yield Figure(f"of which {step}", took[step], "s", f"whole run {first:.1f} s", COMMAND)
    yield Figure("the same again, nothing changed", again, "s", f"first run {first:.1f} s", COMMAND)
