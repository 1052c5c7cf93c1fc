"""Check quality: one scan a CDM table, one count of the concepts in use, every check of the OHDSI list.

spark-submit passerelle/__main__.py check mimic_iv --workspace W --engine submitted
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from omop.cdm import cdm_tables
from omop.lake import Lake, is_delta
from omop.quality.checks import Check, checks_of
from omop.quality.needs import Tables
from omop.quality.results import Result, Thresholds, judged, settled, unevaluated
from omop.quality.scan import Resolve, plan_scan, read_scan
from omop.quality.usage import (
    USED,
    Usage,
    concepts_query,
    descendants_query,
    is_about_concepts,
    read_concepts,
    tallies,
    usage_query,
    used_concepts,
)
from spark_jobs.delta import BUCKET, Buckets, columns_of, table_version
from spark_jobs.engine import Engine

NOT_FILLED = "no source fills this table"


def check_tables(
    engine: Engine, rows: "Rows", tables: Iterable[str], today: date, thresholds: Thresholds | None = None
) -> list[dict[str, Any]]:
    """Results of every check of the CDM, over the rows of one source.

    Args:
        tables: CDM tables that the source fills; the checks of all others are not evaluated.
        rows: the rows of the source.
        today: the run's date, for dates that lie in the future.
        thresholds: those of the site, which win over the dashboard's.
    """
    filled = set(tables)
    found = evaluate(engine, rows.tables, rows, [name for name in cdm_tables() if name in filled], today, thresholds)
    others = (check for name in cdm_tables() if name not in filled for check in checks_of(name))
    return [asdict(result) for result in found + [unevaluated(check, NOT_FILLED) for check in others]]


def evaluate(
    engine: Engine,
    there: Tables,
    resolve: Resolve,
    names: Iterable[str],
    today: date | None = None,
    thresholds: Thresholds | None = None,
) -> list[Result]:
    """Results of the checks of some tables.

    Args:
        there: every table that exists.
        resolve: CDM table → the rows that are checked, as a view or a query in brackets.
    """
    names = list(names)
    checks = [check for name in names for check in checks_of(name)]
    of_concepts = [check for check in checks if is_about_concepts(check, there)]
    by_rows = set(checks) - set(of_concepts)
    found = []
    for name in names:
        scan = plan_scan(name, there, resolve, today, [check for check in checks_of(name) if check in by_rows])
        row = engine.rows(scan.sql)[0] if scan.sql else None
        found += [settled(check, passed) for check, passed in scan.settled]
        found += [unevaluated(check, reason) for check, reason in scan.unevaluated]
        found += [judged(tally, thresholds) for tally in read_scan(scan, row)]
    return found + _evaluate_concepts(engine, there, resolve, names, of_concepts, thresholds)


def _evaluate_concepts(
    engine: Engine,
    there: Tables,
    resolve: Resolve,
    names: list[str],
    checks: list[Check],
    thresholds: Thresholds | None,
) -> list[Result]:
    asked = usage_query(names, there, resolve)
    if asked is None:
        return []
    query, columns = asked
    usage = Usage(columns, engine.sql(query).toArrow())
    engine.view_of_arrow(USED, used_concepts(usage))
    concepts = read_concepts(engine.rows(concepts_query(resolve)) if "concept" in there else [])
    lineage = descendants_query(checks, resolve) if "concept_ancestor" in there else None
    descendants: dict[int, set[int]] = {}
    for row in engine.rows(lineage) if lineage else []:
        descendants.setdefault(row["ancestor"], set()).add(row["descendant"])
    counted, lacking = tallies(usage, checks, there, concepts, descendants)
    return [judged(tally, thresholds) for tally in counted] + [unevaluated(check, reason) for check, reason in lacking]


class Rows:
    """The rows of one source in the CDM: which tables exist, and a name for each, opened when it is first asked for."""

    def __init__(self, engine: Engine, lake: Lake, buckets: Buckets) -> None:
        self._engine, self._lake, self._buckets = engine, lake, buckets
        self._opened: set[str] = set()
        self.tables: Tables = {name: columns_of(lake.omop(name)) for name in cdm_tables() if is_delta(lake.omop(name))}

    def __call__(self, table: str) -> str:
        """A CDM table for the engine: a view, or a query in brackets where the table holds other sources too."""
        name = f"checked__{table}"
        if table not in self._opened:
            path = self._lake.omop(table)
            self._engine.view_of_delta(name, path, table_version(path))
            self._opened.add(table)
        return f"(SELECT * FROM {name} WHERE {self._buckets.predicate})" if BUCKET in self.tables[table] else name
