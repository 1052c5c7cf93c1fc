"""Eras of 1,000 to 100,000 patients: the time that a patient costs must not grow with their number."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, seconds
from etl.cdm_rows import Frame
from omop.lake import Lake
from spark_jobs.delta import Buckets
from spark_jobs.derive_eras import derive_eras
from spark_jobs.engine import Engine, open_engine
from tests.spark_jobs.era_case import write_table

COMMAND = "python -m benchmarks eras"
RUNS = {1_000: 5, 10_000: 3, 100_000: 1}  # patients → runs, of which the median
CONDITIONS, EXPOSURES = 20, 40  # events a patient, over ten years
DIAGNOSES, PRODUCTS, INGREDIENTS = 400, 300, 100
FIRST_DAY, DAYS = 10_957, 3_652  # 2000-01-01, as days since 1970
BUCKETS = 16
MG = 8576


def measure(folder: Path) -> Iterator[Figure]:
    """Hospitals of generated events, each ten times larger than the one before, on one engine; CPU time."""
    cost: dict[int, float] = {}
    with open_engine() as engine:
        for patients, runs in RUNS.items():
            lake = _hospital(folder / f"eras_{patients}", patients)
            elapsed = seconds(partial(_derive, engine, lake), runs, time.process_time)
            cost[patients] = elapsed / patients
            events = patients * (CONDITIONS + EXPOSURES)
            beside = f"{events:,} events, {events / elapsed:,.0f} events/s"
            yield Figure(f"eras of {patients:,} patients, CPU time", elapsed, "s", beside, COMMAND)
    for more, fewer in ((10_000, 1_000), (100_000, 10_000)):
        what = f"eras: CPU time of a patient among {more:,}, against {fewer:,}"
        yield Figure(what, cost[more] / cost[fewer], "×", "linear: 1; bar: 1.3", COMMAND)


def _derive(engine: Engine, lake: Lake) -> None:
    frame, buckets = Frame("benchmark", "UTC", 1, 0, BUCKETS), Buckets(0, BUCKETS)
    derive_eras(engine, lake, frame, buckets, lake.staging("run"))


def _hospital(folder: Path, patients: int) -> Lake:
    """Events of patients, a few codes frequent and most rare, as they are; drugs with one ingredient or two."""
    lake, random = Lake(folder), np.random.default_rng(patients)
    condition = _events(random, patients, CONDITIONS, DIAGNOSES, "condition", "condition")
    drug = _events(random, patients, EXPOSURES, PRODUCTS, "drug", "drug_exposure")
    n = patients * EXPOSURES
    drug |= {
        "quantity": random.integers(1, 4, n) * 500.0,
        "dose_unit_source_value": pa.repeat("mg", n),
        "sig": pa.array(["1/24h", "2/24h", "3/24h"]).take(pa.array(random.integers(0, 3, n))),
    }
    write_table(lake, "condition_occurrence", pa.table(condition))
    write_table(lake, "drug_exposure", pa.table(drug))
    product = np.arange(1, PRODUCTS + 1)
    first, second = 1_001 + product % INGREDIENTS, 1_001 + product[::6] * 7 % INGREDIENTS
    pairs = {
        "ancestor_concept_id": np.concatenate([first, second]),
        "descendant_concept_id": np.concatenate([product, product[::6]]),
    }
    write_table(lake, "concept_ancestor", pa.table(pairs))
    ingredient = [
        {"concept_id": 1_001 + i, "concept_class_id": "Ingredient", "standard_concept": "S", "domain_id": "Drug"}
        for i in range(INGREDIENTS)
    ]
    unit = {"concept_id": MG, "concept_code": "mg", "standard_concept": "S", "vocabulary_id": "UCUM"}
    write_table(lake, "concept", [*ingredient, unit])
    return lake


def _events(random: np.random.Generator, patients: int, each: int, codes: int, of: str, stem: str) -> dict:
    n = patients * each
    person = np.repeat(np.arange(patients, dtype=np.int64), each)
    start = random.integers(FIRST_DAY, FIRST_DAY + DAYS, n).astype(np.int32)
    return {
        "person_id": person,
        "person_bucket": (person % BUCKETS).astype(np.int32),
        f"{of}_concept_id": random.zipf(1.3, n) % codes + 1,
        f"{stem}_start_date": pa.array(start, pa.date32()),
        f"{stem}_end_date": pa.array(start + random.integers(0, 15, n).astype(np.int32), pa.date32()),
    }
