"""Literals and names in Spark SQL, quoted the way that every engine reads alike."""


def literal(value: str | int | None) -> str:
    """A literal; quotes are escaped with a backslash because one engine drops a doubled quote."""
    if value is None:
        return "CAST(NULL AS string)"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def name(identifier: str) -> str:
    """A quoted identifier."""
    return f"`{identifier}`"


# Limits of the numbers that are numbers: NaN is greater than any, and a text such as `inf` becomes one without end.
FINITE = ("-1.7976931348623157E308", "1.7976931348623157E308")


def within(value: str, first: str, last: str) -> str:
    """SQL of a value, null when it is not between two others."""
    return f"CASE WHEN {value} >= {first} AND {value} <= {last} THEN {value} END"
