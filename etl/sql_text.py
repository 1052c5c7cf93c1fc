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
