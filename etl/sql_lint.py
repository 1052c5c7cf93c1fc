"""Refuse SQL whose meaning differs between engines, and name the portable form.

Each rule was measured on both engines; `tests/parity` keeps the measurements.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot import exp

from passerelle.errors import MappingError

DIALECT = "spark"


@dataclass(frozen=True)
class Finding:
    """One expression that must be written otherwise."""

    found: str
    instead: str


def _range_over_interval(node: exp.Expr) -> bool:
    return isinstance(node, exp.WindowSpec) and node.args.get("kind") == "RANGE" and node.find(exp.Interval) is not None


def _named(*names: str) -> Callable[[exp.Expr], bool]:
    wanted = {name.lower() for name in names}

    def matches(node: exp.Expr) -> bool:
        return isinstance(node, exp.Anonymous) and node.name.lower() in wanted

    return matches


def _is(*kinds: type[exp.Expr]) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, kinds)


def _any(*rules: Callable[[exp.Expr], bool]) -> Callable[[exp.Expr], bool]:
    return lambda node: any(rule(node) for rule in rules)


def _group_by_all(node: exp.Expr) -> bool:
    return isinstance(node, exp.Group) and bool(node.args.get("all"))


def _look_around(node: exp.Expr) -> bool:
    return (
        isinstance(node, exp.Literal) and node.is_string and any(m in node.name for m in ("(?=", "(?!", "(?<=", "(?<!"))
    )


def _query_in_select(node: exp.Expr) -> bool:
    if not isinstance(node, exp.In) or node.args.get("query") is None:
        return False
    return node.find_ancestor(exp.Where, exp.Join) is None


def _star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count)


RULES: tuple[tuple[Callable[[exp.Expr], bool], str, str], ...] = (
    (_star, "SELECT *", "name the columns: a new column of the source must not appear by itself"),
    (
        _range_over_interval,
        "RANGE BETWEEN INTERVAL",
        "ORDER BY unix_date(d) RANGE BETWEEN 7 PRECEDING: the interval form is wrong on one engine",
    ),
    (
        _any(_is(exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.Localtimestamp), _named("now")),
        "the current date or time",
        "the run's date is an input; a mapping gives the same result every day",
    ),
    (_is(exp.Rand, exp.Randn, exp.Shuffle), "a random value", "keys and values must be the same on a second run"),
    (_is(exp.Qualify), "QUALIFY", "a window in a CTE, then WHERE: one engine does not parse QUALIFY"),
    (_group_by_all, "GROUP BY ALL", "name the columns: one engine does not parse it"),
    (_is(exp.Pivot), "PIVOT or UNPIVOT", "conditional aggregates, or UNION ALL: one engine does not parse it"),
    (_is(exp.Collate), "COLLATE", "lower() and translate(): one engine has no collations"),
    (_look_around, "a regular expression with look-around", "capture groups: one engine has no look-around"),
    (_query_in_select, "IN (subquery) in the SELECT list", "a LEFT JOIN and IS NOT NULL"),
    (_named("weekday"), "weekday()", "dayofweek(): weekday gives -1 for Sundays on one engine"),
    (
        _any(_is(exp.Uuid), _named("monotonically_increasing_id")),
        "an identifier that changes at each run",
        "the natural key",
    ),
    (_is(exp.ApproxQuantile), "approx_percentile()", "percentile()"),
    (_named("try_to_date"), "try_to_date()", "CAST(try_to_timestamp(x, format) AS date)"),
    (_named("input_file_name"), "input_file_name()", "the column _line of the bronze table"),
)


def findings(tree: exp.Expr) -> Iterator[Finding]:
    """Expressions of a query that engines read differently."""
    for node in tree.walk():
        for matches, found, instead in RULES:
            if matches(node):
                yield Finding(found, instead)


def doubled_quotes(text: str) -> Iterator[Finding]:
    """Quotes written as ``''`` inside a literal, which one engine drops; only the text shows them."""
    # In this dialect 'l''an' is two literals side by side, which Spark joins with the quote and Sail without.
    for token, after in pairwise(sqlglot.tokenize(text, read=DIALECT)):
        if token.token_type == after.token_type == sqlglot.TokenType.STRING and after.start == token.end + 1:
            yield Finding("a doubled quote inside a literal", "escape it with a backslash, or use double quotes")


def refuse_unportable(text: str, where: str) -> exp.Expr:
    """Parse a query and refuse it when engines would read it differently.

    Raises: MappingError: it cannot be parsed, or holds an expression of `RULES`.
    """
    try:
        statements = sqlglot.parse(text, read=DIALECT)
    except (sqlglot.ParseError, sqlglot.TokenError) as error:
        problem = error.errors[0] if isinstance(error, sqlglot.ParseError) and error.errors else {}
        raise MappingError(
            f"{where} is not Spark SQL: {problem.get('description', error)}",
            looked=f"line {problem.get('line', '?')}, near {problem.get('highlight', '?')}",
            do="correct the mapping",
        ) from error
    tree = statements[0] if len(statements) == 1 else None
    if tree is None:
        raise MappingError(f"{where} is not one query", do="write one SELECT over bronze tables")
    found = [*findings(tree), *doubled_quotes(text)]
    if found:
        raise MappingError(
            f"{where} holds {found[0].found}, which engines read differently",
            looked=f"{len(found)} such expression(s)",
            do=f"write instead: {found[0].instead}",
        )
    return tree
