"""Whether a place gives the views as the contract declares them: schema, contract, grain, missing values, units."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from omop.lake import CONTRACT
from omop.views.contract import View, views

Status = Literal["ok", "empty", "warning", "failed", "absent"]
FAILING = ("failed", "absent")
# Names of the types of the contract in information_schema, per engine; DuckDB's are upper case.
TYPES = {
    "bigint": ("bigint",),
    "int": ("integer",),
    "double": ("double precision", "double"),
    "string": ("text", "varchar"),
    "date": ("date",),
    "timestamp": ("timestamp with time zone",),
}


@dataclass(frozen=True)
class ViewCheck:
    """What was found of one view."""

    view: str
    rows: int | None
    status: Status
    findings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"findings": list(self.findings)}


class Place(ABC):
    """A database that holds the views, asked by SQL."""

    @abstractmethod
    def contract(self) -> str:
        """The version of the contract that stands there."""

    @abstractmethod
    def columns(self, view: str) -> Mapping[str, str]:
        """Column → type in the database; empty where there is no such view."""

    @abstractmethod
    def relation(self, view: str) -> str:
        """The view in SQL."""

    @abstractmethod
    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Answer of a query."""

    @abstractmethod
    def lacking(self, tables: Sequence[str]) -> list[str]:
        """Which of some CDM tables are not there, or have no row; none where it cannot be told."""


def check_views(place: Place) -> list[ViewCheck]:
    """Every view of the contract, as a place gives it."""
    other = [] if (found := place.contract()) == CONTRACT else [f"contract {found}, not {CONTRACT}"]
    return [_check(place, declared, other) for declared in views().values()]


def _check(place: Place, declared: View, other: list[str]) -> ViewCheck:
    there = place.columns(declared.name)
    if not there:
        return ViewCheck(declared.name, None, "absent", ("there is no such view, or this user may not read it",))
    wrong = [*other, *_schema_findings(declared, there)]
    if wrong:
        return ViewCheck(declared.name, None, "failed", tuple(wrong))
    rows, repeated, missing = _counts(place, declared)
    if rows == 0:
        return ViewCheck(declared.name, 0, "empty", tuple(_why_empty(place, declared)))
    failed = [f"{column}: {n} rows have none" for column, n in missing.items() if n]
    if failed:
        return ViewCheck(declared.name, rows, "failed", tuple(failed))
    noticed = [f"{repeated} keys are there more than once ({', '.join(declared.key)})"] if repeated else []
    noticed += _unit_findings(place, declared)
    return ViewCheck(declared.name, rows, "warning" if noticed else "ok", tuple(noticed))


def _schema_findings(declared: View, there: Mapping[str, str]) -> list[str]:
    found = [f"{name}: there is no such column" for name in declared.columns if name not in there]
    found += [f"{name}: not a column of the contract" for name in there if name not in declared.columns]
    found += [
        f"{name}: {there[name].lower()} instead of {column.type}"
        for name, column in declared.columns.items()
        if name in there and there[name].lower() not in TYPES[column.type]
    ]
    if not found and list(there) != list(declared.columns):
        found.append("the columns are in another order")
    return found


def _counts(place: Place, declared: View) -> tuple[int, int, dict[str, int]]:
    """Rows, keys that are there more than once, and rows without a value that must be there."""
    required = [name for name, column in declared.columns.items() if not column.nullable]
    nulls = "".join(f', count(*) - count("{name}")' for name in required)
    key = ", ".join(f'"{name}"' for name in declared.key)
    relation = place.relation(declared.name)
    rows, *missing = place.rows(f"SELECT count(*){nulls} FROM {relation}")[0]
    repeated = place.rows(
        f"SELECT count(*) FROM (SELECT 1 AS one FROM {relation} GROUP BY {key} HAVING count(*) > 1) AS repeated"
    )[0][0]
    return rows, repeated, dict(zip(required, missing, strict=True))


def _why_empty(place: Place, declared: View) -> list[str]:
    lacking = place.lacking(declared.rows_of)
    return [f"{table} is not there or has no row" for table in lacking]


def _unit_findings(place: Place, declared: View) -> list[str]:
    """Quantities whose unit could not be brought to one: more than one unit of a quantity."""
    what = {"lab_results": "quantity", "vital_signs": "sign"}.get(declared.name)
    if what is None:
        return []
    found = place.rows(
        f"SELECT \"{what}\", count(DISTINCT coalesce(unit, '')), count(*) FROM {place.relation(declared.name)} "
        f'WHERE "{what}" IS NOT NULL AND "value" IS NOT NULL GROUP BY "{what}" '
        "HAVING count(DISTINCT coalesce(unit, '')) > 1 ORDER BY 1"
    )
    return [f"{name}: {units} units among {rows} values" for name, units, rows in found]
