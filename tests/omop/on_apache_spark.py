"""Run by `test_spark_parity.py` in a process of its own: one process holds Spark Connect or classic Spark, not both.

python -m tests.omop.on_apache_spark JARS OUT
"""

import json
import sys
from dataclasses import astuple
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from omop.cdm import cdm_tables
from spark_jobs.check_quality import measure
from spark_jobs.engine import open_engine
from tests.omop.omop_case import GOLDEN, arrow, needed, on_engine, on_sail
from tests.spark_jobs.era_case import staged, write_golden

SCANNED = ("visit_occurrence", "condition_occurrence", "observation_period", "condition_era")


def views_and_scans(engine) -> tuple[dict, list]:
    """The golden case on an engine: its views, and the results of its quality checks."""
    given = yaml.safe_load((GOLDEN / "two_patients.yaml").read_text(encoding="utf-8"))["given"]
    views = on_sail(engine, {name: arrow(name, given.get(name, [])) for name in needed()})
    columns = {name: {column.name: column.type for column in table.columns} for name, table in cdm_tables().items()}
    for name in cdm_tables():
        on_engine(engine, f"dq__{name}", arrow(name, given.get(name, [])))
    results = measure(engine, columns, "dq__{}".format, SCANNED, date(2025, 4, 1)).judged()
    scans = [list(astuple(result)) for result in results]
    return views, scans


def eras(engine, folder: Path) -> dict[str, str]:
    """The golden eras on an engine, as text."""
    rows, _ = staged(engine, write_golden(folder / "lake"), folder / "staging")
    return {name: json.dumps(table, default=str, indent=1) for name, table in rows.items()}


if __name__ == "__main__":
    jars, out = Path(sys.argv[1]), Path(sys.argv[2])
    with open_engine("local[1]", jars=jars) as spark:
        found, counted = views_and_scans(spark)
        (out / "eras.json").write_text(json.dumps(eras(spark, out / "eras")), encoding="utf-8")
    for name, table in found.items():
        pq.write_table(table, out / f"{name}.parquet")
    (out / "scans.json").write_text(json.dumps(counted), encoding="utf-8")
