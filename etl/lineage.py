"""From which columns of a source each column of the CDM comes, as the compiled mappings say it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from etl.compiler import (
    KEY,
    KEYS,
    OUTCOMES,
    ROW,
    SOURCE_TABLE,
    CompiledMapping,
    CompiledSource,
    bronze_view,
    event_keys,
)
from etl.declaration import Source
from etl.sql_lint import DIALECT

PREFIX = bronze_view("")
Origin = tuple[str, str]  # (bronze table, column)


@dataclass(frozen=True)
class Field:
    """A column that a mapping gives: what it fills, and what it is made of."""

    given: str
    fills: tuple[str, ...]  # columns of the CDM table; empty for what only decides the outcome of the row
    origins: tuple[Origin, ...]
    expression: str  # SQL, where it is more than a column of the source as it stands
    looked_up: str  # the vocabulary of a code: its name, or the SQL that gives it


@dataclass(frozen=True)
class MappingLineage:
    """The fields of one mapping, in the order of its SELECT, and the rules by which it sets rows aside."""

    mapping: CompiledMapping
    fields: tuple[Field, ...]
    rules: dict[str, tuple[str, ...]]  # _exclude, _merge, _quarantine → names or reasons

    def origins_of(self) -> dict[str, tuple[Origin, ...]]:
        """Column of the CDM → the columns of the source that it is made of."""
        found: dict[str, set[Origin]] = {}
        for field in self.fields:
            for column in field.fills:
                found.setdefault(column, set()).update(field.origins)
        return {column: tuple(sorted(origins)) for column, origins in found.items()}


def lineage_of(compiled: CompiledSource) -> list[MappingLineage]:
    """Lineage of every mapping, by name."""
    return [mapping_lineage(compiled.source, m) for m in sorted(compiled.mappings, key=lambda m: m.name)]


def mapping_lineage(source: Source, mapping: CompiledMapping) -> MappingLineage:
    """Lineage of one mapping: its SQL is followed from the result through the steps to the bronze tables."""
    trail = Trail(source, mapping)
    codes = {pair[0]: pair[1] for slot in mapping.slots for pair in slot.alternates}
    aside = {*codes.values(), *(slot.label for slot in mapping.slots), *OUTCOMES, ROW, SOURCE_TABLE}
    fields = tuple(
        Field(
            column,
            tuple(_fills(mapping, column)),
            tuple(sorted(trail.origins(column))),
            trail.expression(column),
            trail.expression(codes[column]).strip("'") if column in codes else "",
        )
        for column in mapping.columns
        if column not in aside
    )
    rules = {outcome: trail.words(outcome) for outcome in OUTCOMES if outcome in mapping.columns}
    return MappingLineage(mapping, fields, rules)


def _fills(mapping: CompiledMapping, column: str) -> Iterator[str]:
    """The columns of the CDM that the engine makes of a column of a mapping."""
    own = [c.name for c in mapping.table.columns]
    wanted: list[str | None] = [column]
    if column == KEY:
        wanted = [mapping.table.primary_key]
    elif column in KEYS:
        wanted = [KEYS[column][0]]
    elif column in mapping.events:
        link = event_keys(mapping.table)[column]
        wanted = [link.column, link.says]
    elif "_code" in column and (slot := _slot_prefix(mapping, column)):
        ends = ["_concept_id", "_source_concept_id"] + (["_source_value"] if column == f"{slot}_code" else [])
        wanted = [f"{slot}{end}" for end in ends]
    elif column.endswith("_datetime"):
        wanted = [column, column.removesuffix("time")]
    return (name for name in own if name in wanted and (name == column or name not in mapping.columns))


def _slot_prefix(mapping: CompiledMapping, column: str) -> str:
    return next((slot.prefix for slot in mapping.slots if any(column == code for code, _ in slot.alternates)), "")


class Trail:
    """Follows the columns of a query back, through steps and unions, to the bronze tables."""

    def __init__(self, source: Source, mapping: CompiledMapping) -> None:
        self.source, self.sql = source, mapping.sql

    @cached_property
    def root(self) -> Scope:
        root = build_scope(sqlglot.parse_one(self.sql, read=DIALECT))
        assert root is not None, "a compiled mapping is a query"
        return root

    def origins(self, column: str) -> set[Origin]:
        """Every column of bronze whose value can stand in a column of the result."""
        return {origin for scope, cell in _cells(self.root, column) for origin in self._behind(scope, cell)}

    def expression(self, column: str) -> str:
        """What is done with the source, where it is more than taking a column as it stands; of a union each way."""
        found = [self._followed(scope, cell) for scope, cell in _cells(self.root, column)]
        made = [cell.sql(DIALECT, comments=False) for cell, as_it_stands in found if not as_it_stands]
        return "; or ".join(dict.fromkeys(made))

    def words(self, column: str) -> tuple[str, ...]:
        """The texts that an expression can give: its literals, but those that it only compares with."""
        return tuple(dict.fromkeys(w for scope, cell in _cells(self.root, column) for w in self._texts(scope, cell)))

    def _texts(self, scope: Scope, cell: exp.Expr) -> Iterator[str]:
        for value in _results(cell):
            if isinstance(value, exp.Literal):
                yield value.name
            elif isinstance(value, exp.Column):
                texts = (text for where, inner in self._inside(scope, value) for text in self._texts(where, inner))
                yield from (text for text in texts if text not in _refused(value))

    def _followed(self, scope: Scope, cell: exp.Expr) -> tuple[exp.Expr, bool]:
        """The expression behind a column that the steps only hand on, and whether it is nothing but a source column."""
        while isinstance(cell, exp.Column) and len(inner := list(self._inside(scope, cell))) == 1:
            scope, cell = inner[0]
        return cell, isinstance(cell, exp.Column) and isinstance(self._relation(scope, cell), exp.Table)

    def _behind(self, scope: Scope, cell: exp.Expr) -> Iterator[Origin]:
        for column in cell.find_all(exp.Column):
            relation = self._relation(scope, column)
            if isinstance(relation, exp.Table) and relation.name.startswith(PREFIX):
                yield relation.name.removeprefix(PREFIX), column.name
            for inner_scope, inner in self._inside(scope, column):
                yield from self._behind(inner_scope, inner)

    def _inside(self, scope: Scope, column: exp.Column) -> Iterator[tuple[Scope, exp.Expr]]:
        relation = self._relation(scope, column)
        if isinstance(relation, Scope):
            yield from _cells(relation, column.name)

    def _relation(self, scope: Scope, column: exp.Column) -> exp.Expr | Scope | None:
        if column.table:
            return scope.sources.get(column.table)
        # Of what stands in its FROM only: every earlier step is in reach as well.
        here = (relation for _, relation in scope.selected_sources.values())
        return next((relation for relation in here if column.name in self._names(relation)), None)

    def _names(self, relation: exp.Expr | Scope) -> tuple[str, ...]:
        if isinstance(relation, Scope):
            return tuple(_query(relation).named_selects)
        table = self.source.tables.get(relation.name.removeprefix(PREFIX))
        return (*table.bronze_columns, ROW) if table is not None else ()


def _cells(scope: Scope, column: str) -> Iterator[tuple[Scope, exp.Expr]]:
    """The expressions that give a column of a query: one, or one for each side of a union, found by its place."""
    names = list(_query(scope).named_selects)
    if column not in names:
        return
    for select in _selects(scope):
        yield select, _query(select).selects[names.index(column)].unalias()


def _query(scope: Scope) -> exp.Query:
    assert isinstance(scope.expression, exp.Query), "a mapping holds queries only"
    return scope.expression


def _selects(scope: Scope) -> Iterator[Scope]:
    if scope.set_operation_scopes:
        for side in scope.set_operation_scopes:
            yield from _selects(side)
    else:
        yield scope


def _results(cell: exp.Expr) -> Iterator[exp.Expr]:
    """The values that an expression can take: the branches of its CASEs and coalesces."""
    if isinstance(cell, exp.Case):
        for branch in cell.args["ifs"]:
            yield from _results(branch.args["true"])
        if cell.args.get("default") is not None:
            yield from _results(cell.args["default"])
    elif isinstance(cell, exp.Coalesce):
        for part in (cell.this, *cell.expressions):
            yield from _results(part)
    else:
        yield cell


def _refused(value: exp.Column) -> set[str]:
    """The texts that the condition of a branch keeps away from it: ``WHEN x NOT IN ('given') THEN x``."""
    condition = value.parent.this if isinstance(value.parent, exp.If) else None
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.In) and condition.this.this == value:
        return {text.name for text in condition.this.expressions}
    return set()
