"""The door: CSV to bronze (hashed, typed, checked, in Delta) against reading the same file and no more."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pyarrow import csv as arrow_csv

from benchmarks.figures import Figure, seconds
from etl.crosswalk import Crosswalk
from etl.declaration import load_source
from etl.identity import Secrets
from omop.lake import Lake
from spark_jobs.door import Door
from spark_jobs.engine import open_engine
from spark_jobs.land import Delivery, land_tables, open_source

ROWS, PERSONS = 500_000, 10_000
COMMAND = "python -m benchmarks landing"
DECLARATION = """
name: benchmark
label: laboratory results, generated
kind: files
timezone: Europe/Paris
cdm_source:
  {cdm_source_name: benchmark, cdm_source_abbreviation: BENCH, cdm_holder: nobody, source_release_date: 2025-01-01}
tables:
  analyse:
    path: analyse.csv
    key: [resultat]
    delete_rule: {kind: absence}
    identity_columns: {ipp: person, iep: stay}
    columns:
      {resultat: bigint, ipp: string, iep: string, code: string, valeur: double, unite: string, preleve: timestamp}
"""


def measure(folder: Path) -> Iterator[Figure]:
    """Half a million results of ten thousand persons."""
    (folder / "source.yaml").write_text(DECLARATION)
    path = folder / "analyse.csv"
    _write(path)
    read = seconds(lambda: arrow_csv.read_csv(path, arrow_csv.ReadOptions(use_threads=False)))
    source = load_source(folder)
    with open_engine() as engine, open_source(source, str(folder)) as opened:

        def land(name: str) -> None:
            lake = Lake(folder / name)
            crosswalk = Crosswalk(lake.identity, b"c" * 32)
            secrets = Secrets(b"i" * 32, b"s" * 32, b"r" * 32, b"c" * 32)
            door = Door(source, secrets, crosswalk, engine, lake, folder / name / "staging")
            (landed,) = land_tables(door, opened, {}, Delivery())
            assert landed.read == ROWS

        land("warm")  # the first query of an engine pays for its start
        ours = seconds(lambda: land("measured"), runs=1)
    yield Figure(
        "CSV landed in bronze",
        ROWS / ours,
        "rows/s",
        f"bare pyarrow read, one thread: {ROWS / read:,.3g} rows/s",
        COMMAND,
    )


def _write(path: Path) -> None:
    draw = np.random.default_rng(0)
    person, value = draw.integers(0, PERSONS, ROWS), draw.normal(80, 20, ROWS).round(1)
    day, hour = draw.integers(1, 29, ROWS), draw.integers(0, 24, ROWS)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["resultat", "ipp", "iep", "code", "valeur", "unite", "preleve"])
        writer.writerows(
            (n, f"80{p:08d}", f"24{p:09d}", f"CODE{p % 50}", v, "umol/L", f"2024-01-{d:02d} {h:02d}:15:00")
            for n, (p, v, d, h) in enumerate(zip(person, value, day, hour, strict=True))
        )
