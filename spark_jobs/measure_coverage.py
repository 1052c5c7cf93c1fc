"""Measure coverage: stays that have a row in each table and each item of the socle commun, by month and care site.

spark-submit passerelle/__main__.py check mimic_iv --workspace W --engine submitted
"""

from collections.abc import Iterable, Mapping
from typing import Any

from omop.quality.coverage import codes_query, coverage_query
from omop.quality.needs import Tables
from omop.quality.scan import Resolve
from omop.quality.socle import Code
from spark_jobs.check_changes import TouchedRows, added_counts
from spark_jobs.check_quality import Rows
from spark_jobs.engine import Engine

KEY = ("key", "month", "care_site_id")


def measure_coverage(engine: Engine, rows: Rows, codes: Mapping[Code, str]) -> list[dict[str, Any]]:
    """Stays by key, month and care site (see `coverage_query`).

    Args:
        codes: (vocabulary, code) → item.
    """
    return _stays(engine, rows.tables, rows, _items(engine, rows, codes))


def measure_change_of_coverage(
    touched: TouchedRows, codes: Mapping[Code, str], last: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The same from what the last run found, and the stays of the touched persons."""
    engine, tables = touched.engine, touched.rows.tables
    items = _items(engine, touched.rows, codes)
    then, now = (_stays(engine, tables, side, items) for side in (touched.then, touched.now))
    return added_counts(KEY, last, then, now, "stays")


def _items(engine: Engine, rows: Rows, codes: Mapping[Code, str]) -> dict[int, str]:
    found = engine.rows(codes_query(codes, rows)) if "concept" in rows.tables else []
    return {row["concept_id"]: codes[row["vocabulary_id"], row["concept_code"]] for row in found}


def _stays(engine: Engine, tables: Tables, resolve: Resolve, concepts: Mapping[int, str]) -> list[dict[str, Any]]:
    query = coverage_query(tables, resolve, concepts)
    return engine.rows(query) if query else []
