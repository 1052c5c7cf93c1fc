"""What sqlglot leaves of Spark SQL that SQL Server does not take.

Needs SQL Server 2022, and 2025 where a pattern is read. The tests parse what is rendered; no SQL Server has run it.
"""

from sqlglot import exp

_FIRST_GROUP_OF_THE_FIRST = (  # position, occurrence, flags, group
    exp.Literal.number(1),
    exp.Literal.number(1),
    exp.Literal.string(""),
    exp.Literal.number(1),
)


def for_sql_server(tree: exp.Expr) -> None:
    """Bend a rendered view, in place."""
    for moved in list(tree.find_all(exp.Add, exp.Sub)):
        if isinstance(moved.expression, exp.Interval):
            moved.replace(_moved(moved.this, moved.expression, -1 if isinstance(moved, exp.Sub) else 1))
    for found in list(tree.find_all(exp.RegexpExtract)):
        arguments = [found.this, found.expression, *_FIRST_GROUP_OF_THE_FIRST]
        found.replace(exp.Anonymous(this="REGEXP_SUBSTR", expressions=[node.copy() for node in arguments]))
    for kind in list(tree.find_all(exp.DataType)):
        if kind.is_type("text", "varchar"):
            kind.replace(exp.DataType.build("NVARCHAR(MAX)", dialect="tsql"))
    for text in list(tree.find_all(exp.Literal)):
        if text.is_string and not text.this.isascii():
            text.replace(exp.National(this=text.this))


def _moved(moment: exp.Expr, interval: exp.Interval, sign: int) -> exp.Expr:
    unit = exp.Var(this=interval.text("unit").upper().removesuffix("S"))
    return exp.Anonymous(this="DATEADD", expressions=[unit, exp.Literal.number(sign * int(interval.this.name)), moment])
