"""Run by `test_spark_parity.py` in a process of its own: one process holds Spark Connect or classic Spark, not both.

python -m tests.omop.on_apache_spark JARS OUT
"""

import json
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from omop.cdm import cdm_tables
from omop.quality import plan_scan
from spark_jobs.engine import open_engine
from tests.omop.omop_case import GOLDEN, arrow, needed, on_engine, on_sail

SCANNED = ("visit_occurrence",)  # wide enough: keys, dates, visits, persons, concepts


def views_and_scans(engine) -> tuple[dict, dict]:
    """The golden case on an engine: its views, and the row of each quality scan."""
    given = yaml.safe_load((GOLDEN / "two_patients.yaml").read_text(encoding="utf-8"))["given"]
    views = on_sail(engine, {name: arrow(name, given.get(name, [])) for name in needed()})
    columns = {name: {column.name: column.type for column in table.columns} for name, table in cdm_tables().items()}
    for name in cdm_tables():
        on_engine(engine, f"dq__{name}", arrow(name, given.get(name, [])))
    scans = {}
    for name in SCANNED:
        scan = plan_scan(name, columns, "dq__{}".format, date(2025, 4, 1))
        scans[name] = engine.sql(scan.sql).toArrow().to_pylist()[0]
    return views, scans


if __name__ == "__main__":
    jars, out = Path(sys.argv[1]), Path(sys.argv[2])
    with open_engine("local[1]", jars=jars) as spark:
        found, counted = views_and_scans(spark)
    for name, table in found.items():
        pq.write_table(table, out / f"{name}.parquet")
    (out / "scans.json").write_text(json.dumps(counted), encoding="utf-8")
