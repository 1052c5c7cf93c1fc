"""Check what an increment changed: the touched persons as they were and as they are, and the counts of the run before.

Counts of disjoint persons add up, so the counts of today are those of the last run, less what the touched persons were,
and what they are. What does not add up (a key, a code that several persons have) is counted over all rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from etl.sql_text import name as quoted
from omop.cdm import cdm_tables
from omop.lake import Lake
from omop.quality.checks import Check
from omop.quality.needs import Tables
from omop.quality.results import Tally, Thresholds
from omop.quality.scan import NOT_ADDITIVE
from spark_jobs.check_quality import Measured, Rows, measure, not_filled
from spark_jobs.delta import Buckets, table_version
from spark_jobs.engine import Engine
from spark_jobs.sides import TOUCHED_IDS

PERSON = "person_id"
THEN, NOW = "_then", "_now"
Place = tuple[str, str, str | None, str | None]  # check, table, field, concept


@dataclass
class TouchedRows:
    """The rows of the touched persons in each table that says whose they are, as they were and as they are."""

    engine: Engine
    lake: Lake
    buckets: Buckets
    rows: Rows  # every row, as it is
    before: Mapping[str, int]  # omop.<table> → the version that the last run left
    staging: Path
    tables: Tables = field(init=False)  # those of which only the touched persons have to be looked at

    def __post_init__(self) -> None:
        there = self.rows.tables
        self.tables = {name: there[name] for name in there if PERSON in there[name] and f"omop.{name}" in self.before}
        self.engine.at_once(
            partial(self.engine.stage, _view(name), self._both_sides(name), self.staging / name) for name in self.tables
        )

    def then(self, table: str) -> str:
        """The rows as they were; of tables that say nobody's name, every row as it is."""
        return self._side(table, THEN)

    def now(self, table: str) -> str:
        """The rows as they are; of tables that say nobody's name, every row."""
        return self._side(table, NOW)

    def _side(self, table: str, side: str) -> str:
        if table not in self.tables:
            return self.rows(table)
        columns = ", ".join(map(quoted, self.tables[table]))
        return f"(SELECT {columns} FROM {_view(table)} WHERE {side})"

    def _both_sides(self, table: str) -> str:
        path, version = self.lake.omop(table), self.before[f"omop.{table}"]
        if table_version(path) == version:
            return self._of_touched(table, self.rows(table), then=True, now=True)
        before = f"before__{table}"
        self.engine.view_of_delta(before, path, version)
        old = f"(SELECT * FROM {before} WHERE {self.buckets.predicate})"
        sides = (
            self._of_touched(table, old, then=True, now=False),
            self._of_touched(table, self.rows(table), then=False, now=True),
        )
        return " UNION ALL ".join(sides)

    def _of_touched(self, table: str, rows: str, *, then: bool, now: bool) -> str:
        columns = ", ".join(f"r.{quoted(column)}" for column in self.tables[table])
        return (
            f"SELECT {columns}, {str(then).lower()} AS {THEN}, {str(now).lower()} AS {NOW} "
            f"FROM {rows} AS r LEFT SEMI JOIN {TOUCHED_IDS} AS p ON p.{PERSON} = r.{PERSON}"
        )


def _view(table: str) -> str:
    return f"touched__{table}"


def check_changes(
    touched: TouchedRows,
    earlier: Iterable[Mapping[str, Any]],
    tables: Iterable[str],
    today: date,
    thresholds: Thresholds | None = None,
) -> list[dict[str, Any]]:
    """Results of every check, as `check_tables` gives them.

    Args:
        earlier: results of the run before, with the counts of every row as it was.
        tables: CDM tables that the source fills.
        today: the run's date.
        thresholds: those of the site.
    """
    engine, rows, filled = touched.engine, touched.rows, set(tables)
    known = {_place_of(result): result for result in earlier if result["violated"] is not None}
    names = [name for name in cdm_tables() if name in filled]
    personal = [name for name in names if name in touched.tables]

    def adds_up(check: Check) -> bool:
        last = known.get(_place(check))
        if last is None or check.name in NOT_ADDITIVE:
            return False
        return not (last["violated"] and "GETDATE" in check.argument)  # what lay in the future may do so no more

    then = measure(engine, rows.tables, touched.then, personal, today, adds_up)
    now = measure(engine, rows.tables, touched.now, personal, today, adds_up)
    found = [Measured(_added(known, then.tallies, now.tallies), now.settled, now.unevaluated)]
    whole = rows.count(personal)
    found.append(measure(engine, rows.tables, rows, personal, today, lambda check: not adds_up(check), whole))
    found.append(measure(engine, rows.tables, rows, [name for name in names if name not in personal], today))
    results = [result for part in found for result in part.judged(thresholds)]
    return [asdict(result) for result in results + not_filled(filled)]


def _added(known: Mapping[Place, Mapping[str, Any]], then: list[Tally], now: list[Tally]) -> list[Tally]:
    were = {_place(tally.check): tally for tally in then}
    found = []
    for tally in now:
        last, was = known[_place(tally.check)], were[_place(tally.check)]
        violated, rows = last["violated"] + tally.violated - was.violated, last["rows"] + tally.rows - was.rows
        found.append(Tally(tally.check, violated, rows))
    return found


def _place(check: Check) -> Place:
    return (check.name, check.table, check.field, check.concept)


def _place_of(result: Mapping[str, Any]) -> Place:
    return (result["check"], result["cdm_table"], result["cdm_field"], result["concept_id"])


def added_counts(
    key: tuple[str, ...],
    last: Iterable[Mapping[str, Any]],
    then: Iterable[Mapping[str, Any]],
    now: Iterable[Mapping[str, Any]],
    count: str,
) -> list[dict[str, Any]]:
    """Counts of today: those of the last run, less those of the touched persons as they were, and as they are."""
    found: dict[tuple[Any, ...], int] = {}
    for sign, rows in ((1, last), (-1, then), (1, now)):
        for row in rows:
            place = tuple(row[name] for name in key)
            found[place] = found.get(place, 0) + sign * row[count]
    return [{**dict(zip(key, place, strict=True)), count: n} for place, n in found.items() if n]
