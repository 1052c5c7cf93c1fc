"""One SQL scan of a table that computes the checks of its rows: conditional counts in portable Spark SQL.

The scan is a function of the views that ``resolve`` names: over some rows of a table, or the rows of some persons, it
gives their counts, and counts of disjoint persons add up (but those of `NOT_ADDITIVE`). What a concept id says is not
asked here, row by row, but once a distinct id: see ``usage``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from omop.cdm import TYPE_CONCEPTS
from omop.cdm import table as cdm_table
from omop.quality.checks import CONCEPT, Check, checks_of
from omop.quality.needs import BIRTH, Tables, missing
from omop.quality.results import Tally

Resolve = Callable[[str], str]

INTEGERS = ("int", "integer", "bigint", "long", "int32", "int64", "smallint")
DAYS_AFTER_DEATH = 60  # the dashboard's allowance: bills and reports follow a death
DAYS_AROUND_VISIT = 7
NOT_ADDITIVE = ("sourceValueCompleteness", "isPrimaryKey")  # a code or a key may occur in several persons
_ROWS = "n_rows"
_BORN = (
    "CASE WHEN year_of_birth BETWEEN 1800 AND 2200 AND coalesce(month_of_birth, 1) BETWEEN 1 AND 12 "
    "THEN date_add(make_date(year_of_birth, coalesce(month_of_birth, 1), 1), "
    "least(greatest(coalesce(day_of_birth, 1), 1), 31) - 1) END"
)
# Parents that other checks ask for more than their key: joined once, for all.
_PARENTS = {
    "person": ("person_id", f"min({_BORN}) AS born", BIRTH),
    "visit_occurrence": (
        "visit_occurrence_id",
        "min(visit_start_date) AS began, max(visit_end_date) AS ended",
        ("visit_start_date", "visit_end_date"),
    ),
}


@dataclass(frozen=True)
class Measure:
    """Where the result of a check stands in the row that the scan gives: two numbers, each a cell less another."""

    check: Check
    violated: tuple[str, str | None]
    rows: tuple[str, str | None]


@dataclass(frozen=True)
class Scan:
    """What to run for a table, and how to read it."""

    table: str
    sql: str | None  # gives one row; None: nothing to ask
    measures: tuple[Measure, ...]
    settled: tuple[tuple[Check, bool], ...]  # known from the columns alone: check, passed
    unevaluated: tuple[tuple[Check, str], ...]  # check, why it cannot run


def plan_scan(
    table: str, tables: Tables, resolve: Resolve, today: date | None = None, checks: Iterable[Check] | None = None
) -> Scan:
    """Plan the scan of one CDM table.

    Args:
        table: CDM table.
        tables: every table that exists, so that checks against others know whether they can run.
        resolve: CDM table → its name for the engine.
        today: day of the run, for dates in the future; None: those checks are not evaluated.
        checks: those to compute; None: all that are about rows.
    """
    builder = _Builder(table, tables, resolve, today)
    for check in checks if checks is not None else checks_of(table):
        builder.add(check)
    return builder.scan()


class _Builder:
    def __init__(self, table: str, tables: Tables, resolve: Resolve, today: date | None) -> None:
        self.table, self.tables, self.resolve, self.today = table, tables, resolve, today
        self.columns: Mapping[str, str] = tables.get(table, {})
        self.kinds = {column.name: column.type for column in cdm_table(table).columns}
        self.steps: dict[str, str] = {}
        self.joins: dict[str, str] = {}
        self.cells: dict[str, str] = {"count(*)": _ROWS}
        self.measures: list[Measure] = []
        self.settled: list[tuple[Check, bool]] = []
        self.unevaluated: list[tuple[Check, str]] = []

    # The checks ---------------------------------------------------------------------------------------------------

    def add(self, check: Check) -> None:
        """Add one check: to the scan, to what is already settled, or to what cannot run."""
        if check.name == "cdmTable":
            self.settled.append((check, self.table in self.tables))
        elif check.name == "cdmField" and self.table in self.tables:
            self.settled.append((check, check.field in self.columns))
        elif lacking := missing(check, self.tables, self.today):
            self.unevaluated.append((check, lacking))
        elif check.name == "cdmDatatype":
            self.settled.append((check, self.columns[str(check.field)].lower() in INTEGERS))
        elif check.name in ("isRequired", "measureValueCompleteness"):
            self.measures.append(Measure(check, (_ROWS, self._filled(check)), (_ROWS, None)))
        elif check.name == "isPrimaryKey":
            distinct = self._cell(f"count(DISTINCT t.{check.field})")
            self.measures.append(Measure(check, (self._filled(check), distinct), (_ROWS, None)))
        else:
            violated, rows = getattr(self, f"_{_snake(check.name)}")(check)
            self.measures.append(Measure(check, (self._cell(violated), None), (self._cell(rows), None)))

    def _is_foreign_key(self, check: Check) -> tuple[str, str]:
        field = f"t.{check.field}"
        if check.other_table == CONCEPT and check.other_field == "concept_id":
            known = ", ".join(map(str, KNOWN_CONCEPTS))
            alias = self._concept(check)
            return _where(
                f"{alias}.concept_id IS NULL AND {field} IS NOT NULL AND {field} NOT IN ({known})"
            ), "count(*)"
        alias = self._parent(check)
        return _where(f"{alias}.k IS NULL AND {field} IS NOT NULL"), "count(*)"

    def _fk_domain(self, check: Check) -> tuple[str, str]:
        return self._concept_is_not(check, "domain_id")

    def _fk_class(self, check: Check) -> tuple[str, str]:
        return self._concept_is_not(check, "concept_class_id")

    def _concept_is_not(self, check: Check, column: str) -> tuple[str, str]:
        alias = self._concept(check)
        accepted = ", ".join(f"'{word}'" for word in words(check.argument))
        return _where(f"t.{check.field} <> 0 AND {alias}.{column} NOT IN ({accepted})"), f"count({alias}.concept_id)"

    def _is_standard_valid_concept(self, check: Check) -> tuple[str, str]:
        alias = self._concept(check)
        invalid = f"coalesce({alias}.invalid_reason, '') <> ''"
        wrong = f"{alias}.concept_id <> 0 AND (coalesce({alias}.standard_concept, '') <> 'S' OR {invalid})"
        return _where(wrong), f"count({alias}.concept_id)"

    def _source_value_completeness(self, check: Check) -> tuple[str, str]:
        unmapped = f"count(DISTINCT CASE WHEN t.{check.other_field} = 0 THEN t.{check.field} END)"
        return unmapped, f"count(DISTINCT t.{check.field})"

    def _plausible_value_low(self, check: Check) -> tuple[str, str]:
        return _where(f"{self._value(check)} < {self._bound(check)}"), f"count(t.{check.field})"

    def _plausible_value_high(self, check: Check) -> tuple[str, str]:
        return _where(f"{self._value(check)} > {self._bound(check)}"), f"count(t.{check.field})"

    def _plausible_temporal_after(self, check: Check) -> tuple[str, str]:
        if check.other_table == "person":  # with its birth, which the dashboard writes as a column of person
            return self._plausible_after_birth(check)
        return _where(f"t.{check.field} < t.{check.other_field}"), self._both(check)

    def _plausible_start_before_end(self, check: Check) -> tuple[str, str]:
        return _where(f"t.{check.field} > t.{check.other_field}"), self._both(check)

    def _plausible_after_birth(self, check: Check) -> tuple[str, str]:
        born = f"{self._join('person')}.born"
        return _where(f"CAST(t.{check.field} AS date) < {born}"), _where(
            f"t.{check.field} IS NOT NULL AND {born} IS NOT NULL"
        )

    def _plausible_before_death(self, check: Check) -> tuple[str, str]:
        self._step("death", "death", "SELECT person_id, min(death_date) AS died FROM {} GROUP BY person_id")
        self.joins["d"] = "LEFT JOIN death AS d ON d.person_id = t.person_id"
        late = f"CAST(t.{check.field} AS date) > date_add(d.died, {DAYS_AFTER_DEATH})"
        return _where(late), _where(f"t.{check.field} IS NOT NULL AND d.died IS NOT NULL")

    _plausible_during_life = _plausible_before_death

    def _within_visit_dates(self, check: Check) -> tuple[str, str]:
        visit, day = self._join("visit_occurrence"), f"CAST(t.{check.field} AS date)"
        early = f"{day} < date_sub({visit}.began, {DAYS_AROUND_VISIT})"
        late = f"{day} > date_add({visit}.ended, {DAYS_AROUND_VISIT})"
        return _where(f"{early} OR {late}"), _where(f"{day} IS NOT NULL AND {visit}.began IS NOT NULL")

    def _measure_person_completeness(self, check: Check) -> tuple[str, str]:
        person = self._join("person")
        persons = "(SELECT count(*) FROM person)"
        return f"{persons} - count(DISTINCT {person}.k)", persons

    def _measure_condition_era_completeness(self, check: Check) -> tuple[str, str]:
        self._step("with_condition", "condition_occurrence", "SELECT DISTINCT person_id FROM {}")
        without = "LEFT JOIN (SELECT DISTINCT person_id FROM t) AS e ON e.person_id = c.person_id"
        violated = f"(SELECT count(*) FROM with_condition AS c {without} WHERE e.person_id IS NULL)"
        return violated, "(SELECT count(*) FROM with_condition)"

    def _measure_observation_period_overlap(self, check: Check) -> tuple[str, str]:
        start, end = "observation_period_start_date", "observation_period_end_date"
        earlier = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
        before = f"max({end}) OVER (PARTITION BY person_id ORDER BY {start}, {end} {earlier})"
        self.steps["follows"] = f"SELECT person_id, {start} AS began, {before} AS ended_before FROM t"
        touching = "SELECT count(DISTINCT person_id) FROM follows WHERE began <= date_add(ended_before, 1)"
        return f"({touching})", "count(DISTINCT t.person_id)"

    # Their parts --------------------------------------------------------------------------------------------------

    def _cell(self, expression: str) -> str:
        return self.cells.setdefault(expression, f"n{len(self.cells)}")

    def _filled(self, check: Check) -> str:
        return self._cell(f"count(t.{check.field})")

    def _both(self, check: Check) -> str:
        return _where(f"t.{check.field} IS NOT NULL AND t.{check.other_field} IS NOT NULL")

    def _step(self, name: str, table: str, query: str) -> None:
        self.steps[name] = query.format(self.resolve(table))

    def _join(self, parent: str, field: str | None = None) -> str:
        """Alias of a parent table by its key, one row a key: a repeated parent must not multiply rows."""
        key, facts, _ = _PARENTS[parent]
        there = self.tables.get(parent, {})
        facts = f", {facts}" if all(column in there for column in _PARENTS[parent][2]) else ""
        self._step(parent, parent, f"SELECT {key} AS k{facts} FROM {{}} GROUP BY {key}")
        alias = f"k_{field or key}"
        self.joins[alias] = f"LEFT JOIN {parent} AS {alias} ON {alias}.k = t.{field or key}"
        return alias

    def _parent(self, check: Check) -> str:
        table, column = str(check.other_table), str(check.other_field)
        if table in _PARENTS and column == _PARENTS[table][0] and table != self.table:
            return self._join(table, check.field)
        step, alias = f"{table}_{column}", f"k_{check.field}"
        self._step(step, table, f"SELECT DISTINCT {column} AS k FROM {{}}")
        self.joins[alias] = f"LEFT JOIN {step} AS {alias} ON {alias}.k = t.{check.field}"
        return alias

    def _concept(self, check: Check) -> str:
        """For tables of the vocabulary only, which are about every concept; all others: ``usage``."""
        self._step(
            CONCEPT,
            CONCEPT,
            "SELECT concept_id, min(standard_concept) AS standard_concept, min(invalid_reason) AS invalid_reason, "
            "min(domain_id) AS domain_id, min(concept_class_id) AS concept_class_id FROM {} GROUP BY concept_id",
        )
        alias = f"c_{check.field}"
        self.joins[alias] = f"LEFT JOIN concept AS {alias} ON {alias}.concept_id = t.{check.field}"
        return alias

    def _value(self, check: Check) -> str:
        kind = self.kinds[str(check.field)]
        return f"CAST(t.{check.field} AS date)" if kind in ("date", "timestamp") else f"t.{check.field}"

    def _bound(self, check: Check) -> str:
        if quoted := re.fullmatch(r"'(\d{4})(\d{2})(\d{2})'", check.argument):
            return f"DATE '{'-'.join(quoted.groups())}'"
        if self.today is not None and check.argument.startswith("YEAR("):
            return str(self.today.year + 1)
        if self.today is not None and "GETDATE" in check.argument:
            return f"DATE '{self.today + timedelta(days=1)}'"
        return check.argument

    def scan(self) -> Scan:
        """The plan, once every check is added."""
        sql = _query(self.resolve(self.table), self._used(), self.steps, self.joins.values(), self.cells)
        asked = bool(self.measures)
        return Scan(
            self.table, sql if asked else None, tuple(self.measures), tuple(self.settled), tuple(self.unevaluated)
        )

    def _used(self) -> list[str]:
        text = " ".join([*self.joins.values(), *self.cells])
        named = {column for column in self.columns if re.search(rf"\bt\.{column}\b", text)}
        own = " ".join(step for step in [*self.steps.values(), *self.cells] if "FROM t" in step)
        return [column for column in self.columns if column in named or re.search(rf"\b{column}\b", own)]


KNOWN_CONCEPTS = (0, *sorted(TYPE_CONCEPTS.values()))  # even where this copy of the vocabulary lacks them


def words(argument: str) -> list[str]:
    """``Drug, Device`` → its words."""
    return [word.strip() for word in argument.split(",")]


def _query(
    table: str, columns: list[str], steps: Mapping[str, str], joins: Iterable[str], cells: Mapping[str, str]
) -> str:
    ctes = ",\n".join(
        [f"t AS (SELECT {', '.join(columns) or '1 AS one'} FROM {table})"]
        + [f"{name} AS ({query})" for name, query in steps.items()]
    )
    numbers = ",\n  ".join(f"{expression} AS {name}" for expression, name in cells.items())
    return "\n".join([f"WITH\n{ctes}\nSELECT\n  {numbers}\nFROM t", *joins])


def _where(condition: str) -> str:
    return f"count(CASE WHEN {condition} THEN 1 END)"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def read_scan(scan: Scan, row: Mapping[str, int | None] | None) -> list[Tally]:
    """Violations of each measured check.

    Args:
        row: the one row that the scan's SQL gives; None where it has none.
    """

    def number(cells: tuple[str, str | None]) -> int:
        plus, minus = cells
        return int((row or {}).get(plus) or 0) - (int((row or {}).get(minus) or 0) if minus else 0)

    return [Tally(measure.check, number(measure.violated), number(measure.rows)) for measure in scan.measures]
