"""Which columns of a source a mapping reads codes from, and in which vocabulary it looks them up."""

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from etl.compiler import CompiledMapping, bronze_view
from etl.sql_lint import DIALECT

PREFIX = bronze_view("")


def code_columns(mapping: CompiledMapping) -> dict[tuple[str, str], str]:
    """(bronze table, column) → source vocabulary, of every code that is a plain column and names its vocabulary."""
    root = build_scope(sqlglot.parse_one(mapping.sql, read=DIALECT))
    if root is None or not isinstance(root.expression, exp.Select):
        return {}
    cells = {cell.alias_or_name: cell.unalias() for cell in root.expression.selects}
    found = {}
    for slot in mapping.slots:
        for code, vocabulary in slot.alternates:
            name, column = cells.get(vocabulary), cells.get(code)
            if isinstance(name, exp.Literal) and isinstance(column, exp.Column):
                origin = _origin(root, column)
                if origin is not None:
                    found[origin] = name.name
    return found


def _origin(scope: Scope, column: exp.Column) -> tuple[str, str] | None:
    """Follow a column through the steps of a query to the bronze table that it is of."""
    alias = column.table or (next(iter(scope.sources)) if len(scope.sources) == 1 else "")
    relation = scope.sources.get(alias)
    if isinstance(relation, exp.Table):
        return (relation.name.removeprefix(PREFIX), column.name) if relation.name.startswith(PREFIX) else None
    if not isinstance(relation, Scope) or not isinstance(relation.expression, exp.Select):
        return None
    inner = next((cell.unalias() for cell in relation.expression.selects if cell.alias_or_name == column.name), None)
    return _origin(relation, inner) if isinstance(inner, exp.Column) else None
