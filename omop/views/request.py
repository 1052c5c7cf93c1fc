"""What is asked of a view: columns, rows, and the instant as of which they are seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from omop.views.contract import View, view
from passerelle.errors import ContractError

Value = int | float | str | date | datetime
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")
_SQL = {"=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}


@dataclass(frozen=True)
class Condition:
    """Rows whose value compares so; a value that is missing, or not known as of the instant, never does."""

    column: str
    operator: str
    value: Value | tuple[Value, ...]


@dataclass(frozen=True)
class Request:
    """What to read of one view; a store answers it with rows in any order."""

    view: View
    columns: tuple[str, ...]
    as_of: datetime | None = None  # UTC
    where: tuple[Condition, ...] = ()
    every_state: bool = False  # rows that others have superseded too; for comparing stores, never for models

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the answer."""
        return pa.schema([self.view.schema.field(name) for name in self.columns])

    def known_at(self, column: str) -> str | None:
        """The column that says when this one was known; None: with the row, or no instant is asked for."""
        return self.view.columns[column].known_at if self.as_of is not None else None

    def sql(self, relation: str, dialect: str) -> str:
        """The request as a SELECT of a relation that holds the whole view."""
        cells = [self._cell(name).as_(name, quoted=True) for name in self.columns]
        query = exp.select(*cells).from_(exp.to_table(relation, dialect=dialect))
        for condition in self._conditions():
            query = query.where(condition)
        return query.sql(dialect)

    def _cell(self, name: str) -> exp.Expr:
        known_at = self.known_at(name)
        if known_at is None:
            return _column(name)
        return exp.Case().when(self._by(known_at), _column(name))

    def _conditions(self) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        if self.as_of is not None and self.view.available_at is not None:
            found.append(self._by(self.view.available_at))
        if self.view.superseded_at is not None and not self.every_state:
            current: exp.Expr = exp.Is(this=_column(self.view.superseded_at), expression=exp.null())
            if self.as_of is not None:
                current = exp.or_(
                    current, exp.GT(this=_column(self.view.superseded_at), expression=_literal(self.as_of))
                )
            found.append(exp.paren(current))
        return [*found, *(self._compared(condition) for condition in self.where)]

    def _compared(self, condition: Condition) -> exp.Expr:
        cell = self._cell(condition.column)
        if condition.operator == "in":
            assert isinstance(condition.value, tuple)
            values = [_literal(value) for value in condition.value]
            return exp.In(this=cell, expressions=values) if values else exp.false()
        assert not isinstance(condition.value, tuple)
        return _SQL[condition.operator](this=cell, expression=_literal(condition.value))

    def _by(self, column: str) -> exp.Expr:
        assert self.as_of is not None
        return exp.LTE(this=_column(column), expression=_literal(self.as_of))


def request(
    name: str,
    columns: Sequence[str] | None = None,
    as_of: datetime | None = None,
    where: Sequence[tuple[str, str, Any]] = (),
    person_ids: Sequence[int] | None = None,
) -> Request:
    """A request that the contract allows.

    Raises: ContractError: no such view, column or operator, or ``as_of`` has no zone, or the view is not of persons.
    """
    declared = view(name)
    wanted = tuple(columns) if columns is not None else tuple(declared.columns)
    declared.check_columns((*wanted, *(column for column, _, _ in where)))
    if as_of is not None and as_of.tzinfo is None:
        raise ContractError("as_of has no time zone, so it is no instant", do="give one, e.g. datetime(…, tzinfo=UTC)")
    conditions = [_condition(*given) for given in where]
    if person_ids is not None:
        if "person_id" not in declared.columns:
            raise ContractError(
                f"the view {name} is not of persons", looked=f"grain: {declared.grain}", do="read it without person_ids"
            )
        conditions.append(Condition("person_id", "in", tuple(int(person) for person in person_ids)))
    return Request(declared, wanted, as_of.astimezone(UTC) if as_of else None, tuple(conditions))


def _condition(column: str, operator: str, value: Any) -> Condition:
    if operator not in OPERATORS:
        raise ContractError(f"there is no operator {operator}", looked=", ".join(OPERATORS), do="use one of these")
    if operator == "in":
        return Condition(column, operator, tuple(value))
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ContractError(f"the time compared with {column} has no zone", do="give one, e.g. datetime(…, tzinfo=UTC)")
    return Condition(column, operator, value)


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _literal(value: Value) -> exp.Expr:
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.astimezone(UTC).isoformat(sep=" ")), exp.DataType.build("TIMESTAMPTZ"))
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), exp.DataType.build("DATE"))
    return exp.Literal.string(value) if isinstance(value, str) else exp.convert(value)
