"""Check quality: one scan a CDM table, every check of the OHDSI list read from its row.

spark-submit passerelle/__main__.py check mimic_iv --workspace W --engine submitted
"""

from dataclasses import asdict
from datetime import date
from typing import Any

from omop.cdm import cdm_tables
from omop.lake import Lake, is_delta
from omop.quality import interpret, plan_scan
from omop.quality.results import Thresholds
from spark_jobs.delta import BUCKET, Buckets, columns_of, table_version
from spark_jobs.engine import Engine


def check_tables(
    engine: Engine,
    lake: Lake,
    tables: list[str],
    buckets: Buckets,
    today: date,
    thresholds: Thresholds | None = None,
) -> list[dict[str, Any]]:
    """Results of every check of the given tables, over the rows of one source.

    Args:
        tables: CDM tables that the source fills.
        buckets: the person buckets of the source.
        today: the run's date, for dates that lie in the future.
        thresholds: those of the site, which win over the dashboard's.
    """
    there = {name: columns_of(lake.omop(name)) for name in cdm_tables() if is_delta(lake.omop(name))}
    for name, columns in there.items():
        _open(engine, lake, name, buckets if BUCKET in columns else None)
    found: list[dict[str, Any]] = []
    for name in tables:
        scan = plan_scan(name, there, _view_of, today)
        row = engine.rows(scan.sql)[0] if scan.sql else None
        found += [asdict(result) for result in interpret(scan, row, thresholds)]
    return found


def _view_of(table: str) -> str:
    return f"checked__{table}"


def _open(engine: Engine, lake: Lake, table: str, buckets: Buckets | None) -> None:
    path = lake.omop(table)
    engine.view_of_delta(f"all__{table}", path, table_version(path))
    where = f" WHERE {buckets.predicate}" if buckets is not None else ""
    columns = ", ".join(columns_of(path))
    engine.sql(f"SELECT {columns} FROM all__{table}{where}").createOrReplaceTempView(_view_of(table))
