"""Render the SQL of a view for an engine, over the tables that really are there.

The view files are Spark SQL in a small subset; sqlglot carries them to PostgreSQL and DuckDB. Three things differ and
are settled here, once:

* **Types.** Each column is cast to the type that the contract declares; ids of foreign databases are often int4.
* **Time.** Inside, PostgreSQL and DuckDB compute on times without a zone that mean UTC, so that the zone of a
  session changes nothing; outside, they give instants (``timestamptz``).
* **Shape.** A database made by others may be CDM 5.3, lack tables or columns, or hold instants: the source steps of a
  view are bent to what is there; a column that is missing reads as null, a table that is missing as empty.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

from sqlglot import exp, parse_one

from omop.cdm import table as cdm_table
from omop.views.contract import View, view
from passerelle.errors import ContractError

Dialect = Literal["spark", "postgres", "duckdb"]
Resolve = Callable[[str], str]
Shape = Mapping[str, Mapping[str, str]]  # table → column → type in the database; only tables that exist

OMOP = "omop"
INSTANT = "timestamp with time zone"
# CDM 5.3 name of a 5.4 column.
OLD_NAMES = {
    "admitted_from_concept_id": "admitting_source_concept_id",
    "admitted_from_source_value": "admitting_source_value",
    "discharged_to_concept_id": "discharge_to_concept_id",
    "discharged_to_source_value": "discharge_to_source_value",
}
_NAIVE = exp.DataType.build("TIMESTAMPNTZ")


def render(name: str, dialect: Dialect, resolve: Resolve, shape: Shape | None = None) -> str:
    """SQL of a view.

    Args:
        name: view of the contract.
        dialect: engine that will run it.
        resolve: CDM table → how the engine names it (``omop__person``, ``"omop"."person"``).
        shape: tables and columns of the database; None: exactly CDM 5.4, times without a zone.

    Raises: ContractError: no such view.
    """
    declared = view(name)
    tree = _parsed(name).copy()
    for reference in list(tree.find_all(exp.Table)):
        if reference.db == OMOP:
            _place(reference, dialect, resolve, shape)
    if dialect != "spark":
        _compute_in_utc(tree)
    if dialect == "postgres":
        _regular_expressions_of_postgres(tree)
    return _typed(declared, tree, dialect).sql(dialect, pretty=True, comments=False)


def tables_of(name: str) -> frozenset[str]:
    """CDM tables that a view reads."""
    return frozenset(reference.name for reference in _parsed(name).find_all(exp.Table) if reference.db == OMOP)


@cache
def _parsed(name: str) -> exp.Expr:
    return parse_one(view(name).sql_file.read_text(encoding="utf-8"), read="spark")


def _place(reference: exp.Table, dialect: Dialect, resolve: Resolve, shape: Shape | None) -> None:
    """Put the real table in a source step, and bend its columns to what is there."""
    source = reference.find_ancestor(exp.Select)
    if source is None or source.args.get("joins"):
        raise ContractError("a view reads an OMOP table outside a source step", looked=reference.sql())
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
        column.replace(bent.as_(column.name) if column.parent is source else bent)


def _bent(column: str, kind: str, there: Mapping[str, str], dialect: Dialect) -> exp.Expr:
    name = column if column in there else OLD_NAMES.get(column, column)
    if name not in there:
        return exp.cast(exp.null(), exp.DataType.build(kind, dialect="spark"))
    found: exp.Expr = exp.column(name)
    if kind == "timestamp" and dialect != "spark":
        return _at_utc(found) if there[name].lower() == INSTANT else exp.cast(found, _NAIVE)
    return found


def _compute_in_utc(tree: exp.Expr) -> None:
    for kind in tree.find_all(exp.DataType):
        if kind.is_type("timestamptz", "timestampltz", "timestamp"):
            kind.replace(_NAIVE.copy())


def _regular_expressions_of_postgres(tree: exp.Expr) -> None:
    """PostgreSQL has regexp_extract under another name; its first group is what we take."""
    for node in list(tree.find_all(exp.RegexpExtract)):
        node.replace(exp.Anonymous(this="substring", expressions=[node.this, node.expression]))


def _typed(declared: View, tree: exp.Expr, dialect: Dialect) -> exp.Select:
    cells = [_cell(name, column.type, dialect).as_(name) for name, column in declared.columns.items()]
    assert isinstance(tree, exp.Query)
    return exp.select(*cells).from_(tree.subquery("v"))


def _cell(name: str, kind: str, dialect: Dialect) -> exp.Expr:
    column = exp.column(name, table="v")
    if kind == "timestamp" and dialect != "spark":
        return _at_utc(exp.cast(column, _NAIVE))
    return exp.cast(column, exp.DataType.build(kind, dialect="spark"))


def _at_utc(expression: exp.Expr) -> exp.Expr:
    return exp.AtTimeZone(this=expression, zone=exp.Literal.string("UTC"))
