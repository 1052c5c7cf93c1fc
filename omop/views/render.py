"""Render the SQL of a view for an engine, over the tables that really are there.

The view files are Spark SQL in a small subset; sqlglot carries them to PostgreSQL, DuckDB and SQL Server. They read in
source steps (``SELECT … FROM omop.person``), which are settled here, once:

* ``omop.<table>``: **types**: each column of the result is cast to the type that the contract declares; **time**:
  outside Spark the SQL computes on times without a zone that mean UTC, and gives instants; **shape**: a database that
  others made may be CDM 5.3, lack tables or columns, or hold instants; what is missing reads as null or as no row.
* ``views.<view>``: another view of the contract, which must stand before.
* ``knowledge.<table>``: a table of ``knowledge/``, written into the SQL.
* ``steps.<name>``: a query that several views begin with, taken in from ``steps/``.
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from sqlglot import exp, parse_one
from sqlglot.dialects.dialect import Dialect as SqlDialect

from omop.cdm import table as cdm_table
from omop.views.contract import FOLDER, View, view, views
from omop.views.sql_server import for_sql_server
from passerelle.errors import ContractError

Dialect = Literal["spark", "postgres", "duckdb", "tsql"]
Resolve = Callable[[str], str]
Shape = Mapping[str, Mapping[str, str]]  # table → column → type in the database; only tables that exist

OMOP, VIEWS, KNOWLEDGE, STEPS = "omop", "views", "knowledge", "steps"
TEXTS = ("varchar", "text", "character varying")
INSTANTS = ("timestamp with time zone", "datetimeoffset")
# CDM 5.3 name of a 5.4 column.
OLD_NAMES = {
    "admitted_from_concept_id": "admitting_source_concept_id",
    "admitted_from_source_value": "admitting_source_value",
    "discharged_to_concept_id": "discharge_to_concept_id",
    "discharged_to_source_value": "discharge_to_source_value",
    "parent_visit_detail_id": "visit_detail_parent_id",
}
_NAIVE = exp.DataType.build("TIMESTAMPNTZ")
# Loaded before two threads ask for one: sqlglot has a dialect on its list before it is complete, and who then takes it
# from there writes the SQL of no engine.
for _name in get_args(Dialect):
    SqlDialect.get_or_raise(_name)


def render(name: str, dialect: Dialect, resolve: Resolve, view_at: Resolve, shape: Shape | None = None) -> str:
    """SQL of a view.

    Args:
        name: view of the contract.
        dialect: engine that will run it.
        resolve: CDM table → how the engine names it (``omop__person``, ``"omop"."person"``).
        view_at: view that this one reads → how the engine names it.
        shape: tables and columns of the database; None: exactly CDM 5.4, times without a zone.

    Raises: ContractError: no such view.
    """
    declared = view(name)
    tree = _assembled(name).copy()
    for reference in list(tree.find_all(exp.Table)):
        if reference.db == OMOP:
            _place(reference, dialect, resolve, shape)
        elif reference.db == VIEWS:
            _place_view(reference, dialect, view_at)
        elif reference.db == KNOWLEDGE:
            reference.replace(_values(reference.name))
    if dialect != "spark":
        _compute_in_utc(tree)
    if dialect == "postgres":
        _regular_expressions_of_postgres(tree)
    result = _typed(declared, tree, dialect)
    if dialect == "tsql":
        for_sql_server(result)
    return result.sql(dialect, pretty=True, comments=False)


@cache
def tables_of(name: str) -> frozenset[str]:
    """CDM tables that a view reads, itself or through other views."""
    own = {reference.name for reference in _assembled(name).find_all(exp.Table) if reference.db == OMOP}
    return frozenset(own.union(*(tables_of(other) for other in views_of(name))))


@cache
def views_of(name: str) -> frozenset[str]:
    """Views that a view reads."""
    return frozenset(reference.name for reference in _assembled(name).find_all(exp.Table) if reference.db == VIEWS)


def in_order() -> list[str]:
    """Every view, each after those that it reads."""
    return sorted(views(), key=lambda name: (_depth(name), name))


def in_waves(names: Iterable[str]) -> list[list[str]]:
    """Views in groups, each after those that hold what it reads: the views of a group may be made at once."""
    by_depth: dict[int, list[str]] = {}
    for name in names:
        by_depth.setdefault(_depth(name), []).append(name)
    return [by_depth[depth] for depth in sorted(by_depth)]


def _depth(name: str) -> int:
    return 1 + max((_depth(other) for other in views_of(name)), default=0)


# --- from files to one tree ------------------------------------------------------------------------------------------


@cache
def _assembled(name: str) -> exp.Query:
    """The SELECT of a view, before its own steps those that it shares with others."""
    tree = _parsed(view(name).sql_file)
    shared: dict[str, exp.Query] = {}
    _collect(tree, shared)
    taken = [cte for step, query in shared.items() for cte in _as_steps(step, query)]
    own = tree.args["with_"]
    own.set("expressions", taken + own.expressions)
    for reference in list(tree.find_all(exp.Table)):
        if reference.db == STEPS:
            reference.replace(exp.to_table(_whole(reference.name)))
    return tree


def _parsed(file: Path) -> exp.Query:
    tree = parse_one(file.read_text(encoding="utf-8"), read="spark")
    assert isinstance(tree, exp.Query)
    return tree


def _collect(query: exp.Query, shared: dict[str, exp.Query]) -> None:
    """Shared queries that a query reads, itself or through others, each after those that it reads."""
    for step in sorted({reference.name for reference in query.find_all(exp.Table) if reference.db == STEPS}):
        if step not in shared:
            read = _parsed(FOLDER / STEPS / f"{step}.sql")
            _collect(read, shared)
            shared[step] = read


def _as_steps(step: str, query: exp.Query) -> list[exp.CTE]:
    """A shared query as steps of a view, its own steps under names that no view has."""
    inner = {cte.alias: f"{step}__{cte.alias}" for cte in query.ctes}
    for used in list(query.find_all(exp.Table)):
        if not used.db and used.name in inner:
            used.replace(exp.alias_(exp.to_table(inner[used.name]), used.alias or used.name, table=True))
    steps = [(inner[cte.alias], cte.this) for cte in query.ctes]
    query.set("with_", None)
    return [
        exp.CTE(this=this, alias=exp.TableAlias(this=exp.to_identifier(alias)))
        for alias, this in [*steps, (_whole(step), query)]
    ]


def _whole(step: str) -> str:
    return f"{STEPS}__{step}"


# --- source steps ----------------------------------------------------------------------------------------------------


def _source_step(reference: exp.Table) -> exp.Select:
    source = reference.find_ancestor(exp.Select)
    if source is None or source.args.get("joins"):
        raise ContractError("a view reads a table outside a source step", looked=reference.sql())
    return source


def _place(reference: exp.Table, dialect: Dialect, resolve: Resolve, shape: Shape | None) -> None:
    """Put the real table in a source step, and bend its columns to what is there."""
    source = _source_step(reference)
    name = reference.name
    if shape is not None:
        _bend(source, name, shape.get(name), dialect)
        if name not in shape:
            source.set("from_", None)
            source.set("where", exp.Where(this=exp.false()))
            return
    reference.replace(exp.to_table(resolve(name), dialect=dialect))


def _bend(source: exp.Select, name: str, there: Mapping[str, str] | None, dialect: Dialect) -> None:
    types = {column.name: column.type for column in cdm_table(name).columns}
    for column in list(source.find_all(exp.Column)):
        bent = _bent(column.name, types[column.name], there or {}, dialect)
        column.replace(bent.as_(column.name, quoted=True) if column.parent is source else bent)


def _bent(column: str, kind: str, there: Mapping[str, str], dialect: Dialect) -> exp.Expr:
    name = column if column in there else OLD_NAMES.get(column, column)
    if name not in there:
        return exp.cast(exp.null(), exp.DataType.build(kind, dialect="spark"))
    found: exp.Expr = exp.column(name, quoted=True)
    if kind != "string" and there[name].lower() in TEXTS:  # a file of text
        naive = (
            _NAIVE.copy() if kind == "timestamp" and dialect != "spark" else exp.DataType.build(kind, dialect="spark")
        )
        return exp.TryCast(this=found, to=naive)
    if kind == "timestamp" and dialect != "spark":
        return _from_instant(found) if there[name].lower() in INSTANTS else exp.cast(found, _NAIVE)
    return found


def _place_view(reference: exp.Table, dialect: Dialect, view_at: Resolve) -> None:
    """Put the real view in a source step; outside Spark its instants become times that mean UTC."""
    source = _source_step(reference)
    columns = view(reference.name).columns
    for column in list(source.find_all(exp.Column)) if dialect != "spark" else ():
        if columns[column.name].type == "timestamp":
            naive = _from_instant(exp.column(column.name))
            column.replace(naive.as_(column.name) if column.parent is source else naive)
    reference.replace(exp.to_table(view_at(reference.name), dialect=dialect))


@cache
def _knowledge(name: str) -> tuple[list[str], list[str], list[list[str]]]:
    """Columns, their types, and cells of a table of clinical knowledge; an empty cell is null."""
    with (FOLDER / KNOWLEDGE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    kinds = [_kind([cell for cell in cells if cell]) for cells in zip(*rows, strict=True)]
    return columns, kinds, rows


def _kind(cells: list[str]) -> str:
    if all(cell.isdecimal() and cell == str(int(cell)) for cell in cells):
        return "bigint"
    return "double" if all(_is_number(cell) for cell in cells) else "string"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _values(name: str) -> exp.Values:
    columns, kinds, rows = _knowledge(name)
    cells = [[_literal(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in rows]
    # The first row says the types of all.
    cells[0] = [exp.cast(cell, exp.DataType.build(k, dialect="spark")) for cell, k in zip(cells[0], kinds, strict=True)]
    alias = exp.TableAlias(this=exp.to_identifier(name), columns=[exp.to_identifier(column) for column in columns])
    return exp.Values(expressions=[exp.Tuple(expressions=row) for row in cells], alias=alias)


def _literal(cell: str, kind: str) -> exp.Expr:
    if not cell:
        return exp.null()
    return exp.Literal.string(cell) if kind == "string" else exp.Literal.number(cell)


# --- dialects --------------------------------------------------------------------------------------------------------


def _compute_in_utc(tree: exp.Expr) -> None:
    for kind in tree.find_all(exp.DataType):
        if kind.is_type("timestamptz", "timestampltz", "timestamp"):
            kind.replace(_NAIVE.copy())


def _regular_expressions_of_postgres(tree: exp.Expr) -> None:
    """PostgreSQL has regexp_extract under another name; its first group is what we take."""
    for node in list(tree.find_all(exp.RegexpExtract)):
        node.replace(exp.Anonymous(this="substring", expressions=[node.this, node.expression]))


def _typed(declared: View, tree: exp.Query, dialect: Dialect) -> exp.Select:
    cells = [_cell(name, column.type, dialect).as_(name) for name, column in declared.columns.items()]
    steps = tree.args["with_"].pop()  # before the whole: SQL Server has them nowhere else
    result = exp.select(*cells, copy=False).from_(tree.subquery("v", copy=False), copy=False)
    result.set("with_", steps)
    return result


def _cell(name: str, kind: str, dialect: Dialect) -> exp.Expr:
    column = exp.column(name, table="v")
    if kind == "timestamp" and dialect != "spark":
        return _at_utc(exp.cast(column, _NAIVE))
    return exp.cast(column, exp.DataType.build(kind, dialect="spark"))


def _at_utc(expression: exp.Expr) -> exp.Expr:
    return exp.AtTimeZone(this=expression, zone=exp.Literal.string("UTC"))


def _from_instant(expression: exp.Expr) -> exp.Expr:
    return exp.cast(_at_utc(expression), _NAIVE)
