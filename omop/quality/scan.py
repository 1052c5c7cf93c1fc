"""One SQL scan of a table that computes all its checks: conditional sums in portable Spark SQL."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from omop.cdm import TYPE_CONCEPTS
from omop.cdm import table as cdm_table
from omop.quality.checks import Check, checks_of

Tables = Mapping[str, Mapping[str, str]]  # tables that exist → column → type, in the words of the engine
Resolve = Callable[[str], str]

INTEGERS = ("int", "integer", "bigint", "long", "int32", "int64", "smallint")
DAYS_AFTER_DEATH = 60  # the dashboard's allowance: bills and reports follow a death
DAYS_AROUND_VISIT = 7
_BORN = (
    "CASE WHEN year_of_birth BETWEEN 1800 AND 2200 AND coalesce(month_of_birth, 1) BETWEEN 1 AND 12 "
    "THEN date_add(make_date(year_of_birth, coalesce(month_of_birth, 1), 1), "
    "least(greatest(coalesce(day_of_birth, 1), 1), 31) - 1) END"
)


@dataclass(frozen=True)
class Measure:
    """Where the result of a check stands in the row that the scan gives."""

    check: Check
    violated: str
    rows: str


@dataclass(frozen=True)
class Scan:
    """What to run for a table, and how to read it."""

    table: str
    sql: str | None  # gives one row; None: the table does not exist
    measures: tuple[Measure, ...]
    settled: tuple[tuple[Check, bool], ...]  # known from the columns alone: check, passed
    unevaluated: tuple[tuple[Check, str], ...]  # check, why it cannot run


def plan_scan(table: str, tables: Tables, resolve: Resolve, today: date | None = None) -> Scan:
    """Plan the scan of one CDM table.

    Args:
        table: CDM table.
        tables: every table that exists, so that checks against others know whether they can run.
        resolve: CDM table → its name for the engine.
        today: day of the run, for dates in the future; None: those checks are not evaluated.
    """
    builder = _Builder(table, tables, resolve, today)
    for check in checks_of(table):
        builder.add(check)
    return builder.scan()


class _Builder:
    def __init__(self, table: str, tables: Tables, resolve: Resolve, today: date | None) -> None:
        self.table, self.tables, self.resolve, self.today = table, tables, resolve, today
        self.columns: Mapping[str, str] = tables.get(table, {})
        self.kinds = {column.name: column.type for column in cdm_table(table).columns}
        self.steps: dict[str, str] = {}
        self.joins: dict[str, str] = {}
        self.cells: dict[str, str] = {"n_rows": "count(*)"}
        self.measures: list[Measure] = []
        self.settled: list[tuple[Check, bool]] = []
        self.unevaluated: list[tuple[Check, str]] = []

    # The checks ---------------------------------------------------------------------------------------------------

    def add(self, check: Check) -> None:
        """Add one check: to the scan, to what is already settled, or to what cannot run."""
        if check.name == "cdmTable":
            self.settled.append((check, self.table in self.tables))
        elif self.table not in self.tables:
            self.unevaluated.append((check, "the table does not exist"))
        elif check.name == "cdmField":
            self.settled.append((check, check.field in self.columns))
        elif check.field is not None and check.field not in self.columns:
            self.unevaluated.append((check, "the column does not exist"))
        elif check.name == "cdmDatatype":
            self.settled.append((check, self.columns[str(check.field)].lower() in INTEGERS))
        elif missing := self._missing(check):
            self.unevaluated.append((check, missing))
        else:
            violated, rows = getattr(self, f"_{_snake(check.name)}")(check)
            self.measures.append(Measure(check, self._cell(violated), self._cell(rows)))

    def _missing(self, check: Check) -> str | None:
        """What a check needs and is not there."""
        needs: list[tuple[str, str]] = []
        if check.other_table and check.other_field:
            needs.append((check.other_table, check.other_field))
        if check.name in ("fkDomain", "fkClass", "isStandardValidConcept"):
            needs.append(("concept", "standard_concept"))
        if check.name in ("plausibleAfterBirth", "measurePersonCompleteness") or _from_birth(check):
            needs = [("person", "person_id"), ("person", "year_of_birth")]
        if check.name in ("plausibleBeforeDeath", "plausibleDuringLife"):
            needs.append(("death", "death_date"))
        if check.name == "withinVisitDates":
            needs.append(("visit_occurrence", "visit_start_date"))
        for table, column in needs:
            if table not in self.tables:
                return f"there is no table {table}"
            if column not in self.tables[table]:
                return f"{table} has no column {column}"
        if check.name == "plausibleValueHigh" and "GETDATE" in check.argument and self.today is None:
            return "the day of the run is not given"
        return None

    def _is_required(self, check: Check) -> tuple[str, str]:
        return _sum(f"t.{check.field} IS NULL"), "count(*)"

    _measure_value_completeness = _is_required

    def _is_primary_key(self, check: Check) -> tuple[str, str]:
        return f"count(t.{check.field}) - count(DISTINCT t.{check.field})", "count(*)"

    def _is_foreign_key(self, check: Check) -> tuple[str, str]:
        field = f"t.{check.field}"
        if check.other_table == "concept" and check.other_field == "concept_id":
            known = ", ".join(str(concept) for concept in (0, *sorted(TYPE_CONCEPTS.values())))
            alias = self._concept(check)
            return _sum(f"{alias}.concept_id IS NULL AND {field} IS NOT NULL AND {field} NOT IN ({known})"), "count(*)"
        alias = self._parent(check)
        return _sum(f"{alias}.k IS NULL AND {field} IS NOT NULL"), "count(*)"

    def _fk_domain(self, check: Check) -> tuple[str, str]:
        return self._concept_is_not(check, "domain_id")

    def _fk_class(self, check: Check) -> tuple[str, str]:
        return self._concept_is_not(check, "concept_class_id")

    def _concept_is_not(self, check: Check, column: str) -> tuple[str, str]:
        alias = self._concept(check)
        accepted = ", ".join(f"'{word.strip()}'" for word in check.argument.split(","))
        wrong = f"t.{check.field} <> 0 AND {alias}.{column} NOT IN ({accepted})"
        return _sum(wrong), f"count({alias}.concept_id)"

    def _is_standard_valid_concept(self, check: Check) -> tuple[str, str]:
        alias = self._concept(check)
        invalid = f"coalesce({alias}.invalid_reason, '') <> ''"
        wrong = f"{alias}.concept_id <> 0 AND (coalesce({alias}.standard_concept, '') <> 'S' OR {invalid})"
        return _sum(wrong), f"count({alias}.concept_id)"

    def _standard_concept_record_completeness(self, check: Check) -> tuple[str, str]:
        return _sum(f"t.{check.field} = 0"), "count(*)"

    _source_concept_record_completeness = _standard_concept_record_completeness

    def _source_value_completeness(self, check: Check) -> tuple[str, str]:
        unmapped = f"count(DISTINCT CASE WHEN t.{check.other_field} = 0 THEN t.{check.field} END)"
        return unmapped, f"count(DISTINCT t.{check.field})"

    def _plausible_value_low(self, check: Check) -> tuple[str, str]:
        return _sum(f"{self._value(check)} < {self._bound(check)}"), f"count(t.{check.field})"

    def _plausible_value_high(self, check: Check) -> tuple[str, str]:
        return _sum(f"{self._value(check)} > {self._bound(check)}"), f"count(t.{check.field})"

    def _plausible_temporal_after(self, check: Check) -> tuple[str, str]:
        if _from_birth(check):
            return self._plausible_after_birth(check)
        pair = f"t.{check.field} IS NOT NULL AND t.{check.other_field} IS NOT NULL"
        return _sum(f"t.{check.field} < t.{check.other_field}"), _sum(pair)

    def _plausible_start_before_end(self, check: Check) -> tuple[str, str]:
        pair = f"t.{check.field} IS NOT NULL AND t.{check.other_field} IS NOT NULL"
        return _sum(f"t.{check.field} > t.{check.other_field}"), _sum(pair)

    def _plausible_after_birth(self, check: Check) -> tuple[str, str]:
        self._person()
        day = f"CAST(t.{check.field} AS date)"
        return _sum(f"{day} < p.born"), _sum(f"t.{check.field} IS NOT NULL AND p.born IS NOT NULL")

    def _plausible_before_death(self, check: Check) -> tuple[str, str]:
        self._step("death", "death", "SELECT person_id, min(death_date) AS died FROM {} GROUP BY person_id")
        self.joins["d"] = "LEFT JOIN death AS d ON d.person_id = t.person_id"
        late = f"CAST(t.{check.field} AS date) > date_add(d.died, {DAYS_AFTER_DEATH})"
        return _sum(late), _sum(f"t.{check.field} IS NOT NULL AND d.died IS NOT NULL")

    _plausible_during_life = _plausible_before_death

    def _within_visit_dates(self, check: Check) -> tuple[str, str]:
        self._step(
            "visit",
            "visit_occurrence",
            "SELECT visit_occurrence_id, min(visit_start_date) AS began, max(visit_end_date) AS ended "
            "FROM {} GROUP BY visit_occurrence_id",
        )
        self.joins["v"] = "LEFT JOIN visit AS v ON v.visit_occurrence_id = t.visit_occurrence_id"
        day = f"CAST(t.{check.field} AS date)"
        outside = f"{day} < date_sub(v.began, {DAYS_AROUND_VISIT}) OR {day} > date_add(v.ended, {DAYS_AROUND_VISIT})"
        return _sum(outside), _sum(f"{day} IS NOT NULL AND v.began IS NOT NULL")

    def _measure_person_completeness(self, check: Check) -> tuple[str, str]:
        self._person()
        persons = "(SELECT count(*) FROM person)"
        return f"{persons} - count(DISTINCT p.person_id)", persons

    # Their parts --------------------------------------------------------------------------------------------------

    def _cell(self, expression: str) -> str:
        for name, known in self.cells.items():
            if known == expression:
                return name
        name = f"n{len(self.cells)}"
        self.cells[name] = expression
        return name

    def _step(self, name: str, table: str, query: str) -> None:
        self.steps[name] = query.format(self.resolve(table))

    def _person(self) -> None:
        # Repeated persons must not multiply rows.
        self._step("born", "person", f"SELECT person_id, {_BORN} AS born FROM {{}}")
        self.steps["person"] = "SELECT person_id, min(born) AS born FROM born GROUP BY person_id"
        self.joins["p"] = "LEFT JOIN person AS p ON p.person_id = t.person_id"

    def _concept(self, check: Check) -> str:
        self._step(
            "concept",
            "concept",
            "SELECT concept_id, min(standard_concept) AS standard_concept, min(invalid_reason) AS invalid_reason, "
            "min(domain_id) AS domain_id, min(concept_class_id) AS concept_class_id FROM {} GROUP BY concept_id",
        )
        alias = f"c_{check.field}"
        self.joins[alias] = f"LEFT JOIN concept AS {alias} ON {alias}.concept_id = t.{check.field}"
        return alias

    def _parent(self, check: Check) -> str:
        step, alias = f"{check.other_table}_{check.other_field}", f"k_{check.field}"
        self._step(step, str(check.other_table), f"SELECT DISTINCT {check.other_field} AS k FROM {{}}")
        self.joins[alias] = f"LEFT JOIN {step} AS {alias} ON {alias}.k = t.{check.field}"
        return alias

    def _value(self, check: Check) -> str:
        kind = self.kinds[str(check.field)]
        return f"CAST(t.{check.field} AS date)" if kind in ("date", "timestamp") else f"t.{check.field}"

    def _bound(self, check: Check) -> str:
        if quoted := re.fullmatch(r"'(\d{4})(\d{2})(\d{2})'", check.argument):
            return f"DATE '{'-'.join(quoted.groups())}'"
        if check.argument.startswith("YEAR("):
            assert self.today is not None
            return str(self.today.year + 1)
        if "GETDATE" in check.argument:
            assert self.today is not None
            return f"DATE '{self.today + timedelta(days=1)}'"
        return check.argument

    def scan(self) -> Scan:
        """The plan, once every check is added."""
        sql = _query(self.resolve(self.table), self._used(), self.steps, self.joins.values(), self.cells)
        there = self.table in self.tables
        return Scan(
            self.table, sql if there else None, tuple(self.measures), tuple(self.settled), tuple(self.unevaluated)
        )

    def _used(self) -> list[str]:
        text = " ".join([*self.joins.values(), *self.cells.values()])
        return [column for column in self.columns if re.search(rf"\bt\.{column}\b", text)]


def _query(
    table: str, columns: list[str], steps: Mapping[str, str], joins: Iterable[str], cells: Mapping[str, str]
) -> str:
    ctes = ",\n".join(
        [f"t AS (SELECT {', '.join(columns) or '1 AS one'} FROM {table})"]
        + [f"{name} AS ({query})" for name, query in steps.items()]
    )
    numbers = ",\n  ".join(f"{expression} AS {name}" for name, expression in cells.items())
    return "\n".join([f"WITH\n{ctes}\nSELECT\n  {numbers}\nFROM t", *joins])


def _from_birth(check: Check) -> bool:
    """A comparison with the birth of the person, which the dashboard writes as one with a column of person."""
    return check.name == "plausibleTemporalAfter" and check.other_table == "person"


def _sum(condition: str) -> str:
    return f"coalesce(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
