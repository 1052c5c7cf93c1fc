"""Check quality: one scan a CDM table, one count of the concepts in use, every check of the OHDSI list.

spark-submit passerelle/__main__.py check mimic_iv --workspace W --engine submitted
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from typing import Any

from omop.cdm import cdm_tables
from omop.lake import Lake, is_delta
from omop.quality.checks import Check, checks_of
from omop.quality.needs import Tables
from omop.quality.results import Result, Tally, Thresholds, judged, settled, unevaluated
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
from spark_jobs.delta import BUCKET, Buckets, columns_of, rows_in, table_version
from spark_jobs.engine import Engine

NOT_FILLED = "no source fills this table"


@dataclass
class Measured:
    """What the checks of some tables found, before anybody judges it."""

    tallies: list[Tally] = field(default_factory=list)
    settled: list[tuple[Check, bool]] = field(default_factory=list)
    unevaluated: list[tuple[Check, str]] = field(default_factory=list)

    def judged(self, thresholds: Thresholds | None = None) -> list[Result]:
        """Results, those of settled questions first."""
        found = [settled(check, passed) for check, passed in self.settled]
        found += [unevaluated(check, reason) for check, reason in self.unevaluated]
        return found + [judged(tally, thresholds) for tally in self.tallies]


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
    names = [name for name in cdm_tables() if name in filled]
    found = measure(engine, rows.tables, rows, names, today, rows=rows.count(names)).judged(thresholds) + not_filled(
        filled
    )
    return [asdict(result) for result in found]


def not_filled(filled: Collection[str]) -> list[Result]:
    """Results of the checks of the tables that no source fills."""
    others = (check for name in cdm_tables() if name not in filled for check in checks_of(name))
    return [unevaluated(check, NOT_FILLED) for check in others]


def measure(
    engine: Engine,
    there: Tables,
    resolve: Resolve,
    names: Iterable[str],
    today: date | None = None,
    which: Callable[[Check], bool] = lambda _: True,
    rows: int = 0,
) -> Measured:
    """Count what breaks the checks of some tables.

    Args:
        there: every table that exists.
        resolve: CDM table → the rows that are checked, as a view or a query in brackets.
        which: the checks to compute.
        rows: of the tables in all, where they are not those of a few persons.
    """
    names = list(names)
    checks = {name: [check for check in checks_of(name) if which(check)] for name in names}
    of_concepts = [c for name in names for c in checks[name] if is_about_concepts(c, there)]
    by_concept = set(of_concepts)
    found = Measured()
    scans = [plan_scan(name, there, resolve, today, [c for c in checks[name] if c not in by_concept]) for name in names]
    asked = [scan for scan in scans if scan.sql]
    answers = engine.at_once((partial(engine.rows, str(scan.sql)) for scan in asked), rows)
    counts = {scan.table: answer[0] for scan, answer in zip(asked, answers, strict=True)}
    for scan in scans:
        found.settled += scan.settled
        found.unevaluated += scan.unevaluated
        found.tallies += read_scan(scan, counts.get(scan.table))
    _measure_concepts(engine, there, resolve, names, of_concepts, found)
    return found


def _measure_concepts(
    engine: Engine, there: Tables, resolve: Resolve, names: list[str], checks: list[Check], found: Measured
) -> None:
    asked = usage_query(names, there, resolve) if checks else None
    if asked is None:
        return
    query, columns = asked
    usage = Usage(columns, engine.sql(query).toArrow())
    engine.view_of_arrow(USED, used_concepts(usage))
    concepts = read_concepts(engine.rows(concepts_query(resolve)) if "concept" in there else [])
    lineage = descendants_query(checks, resolve) if "concept_ancestor" in there else None
    descendants: dict[int, set[int]] = {}
    for row in engine.rows(lineage) if lineage else []:
        descendants.setdefault(row["ancestor"], set()).add(row["descendant"])
    counted, lacking = tallies(usage, checks, there, concepts, descendants)
    found.tallies += counted
    found.unevaluated += lacking


class Rows:
    """The rows of one source in the CDM: which tables exist, and a name for each, opened when it is first asked for."""

    def __init__(self, engine: Engine, lake: Lake, buckets: Buckets) -> None:
        self._engine, self._lake, self._buckets = engine, lake, buckets
        self._opened: set[str] = set()
        self.tables: Tables = {name: columns_of(lake.omop(name)) for name in cdm_tables() if is_delta(lake.omop(name))}

    def count(self, tables: Iterable[str]) -> int:
        """Rows of some tables in all, from their logs."""
        return sum(rows_in(self._lake.omop(table), self._buckets) for table in tables)

    def __call__(self, table: str) -> str:
        """A CDM table for the engine: a view, or a query in brackets where the table holds other sources too."""
        name = f"checked__{table}"
        if table not in self._opened:
            path = self._lake.omop(table)
            self._engine.view_of_delta(name, path, table_version(path))
            self._opened.add(table)
        return f"(SELECT * FROM {name} WHERE {self._buckets.predicate})" if BUCKET in self.tables[table] else name
