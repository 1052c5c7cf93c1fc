"""The whole demo on generated hospitals of two sizes: how time grows with patients."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.command_line import passerelle
from benchmarks.figures import Figure

SIZES = (600, 3_000)
ETL = ("extract", "map to OMOP", "check quality", "publish views and warehouse")


def measure(folder: Path) -> Iterator[Figure]:
    """One demo a size; the steps are those of its own report."""
    smaller = 0.0
    for patients in SIZES:
        command = f"passerelle demo --patients {patients}"
        _, result = passerelle("demo", "--patients", str(patients), "--workspace", str(folder / f"demo{patients}"))
        steps = {step["step"]: step["seconds"] for step in result["steps"]}
        etl = sum(steps[name] for name in ETL)
        yield Figure(f"demo, {patients} synthetic patients", result["seconds"], "s", "bar: 180 s at 600", command)
        beside = f"{smaller:.0f} patients/s at {SIZES[0]}" if smaller else "bar: 200 patients/s"
        yield Figure(
            f"its steps from source to PostgreSQL, {patients} patients", patients / etl, "patients/s", beside, command
        )
        smaller = smaller or patients / etl
