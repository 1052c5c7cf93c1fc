"""Find columns that look like identifiers of people and are not declared as such."""

from collections.abc import Sequence

from etl.declaration import SourceTable
from etl.findings import Finding, Severity
from etl.scaffold import patterns, shapes
from etl.scaffold.infer import Column, column_of
from etl.scaffold.scan import ScannedColumn

WHAT_TO_DO = "declare it as crosswalk, identity or free text, or do not send it"


def find_leaks(name: str, table: SourceTable, column: str, values: Sequence[str]) -> list[Finding]:
    """What a column gives away, by its name and its values; empty when it is declared, or harmless.

    Args:
        values: a sample of its texts, empty ones left out.
    """
    if column in table.identity_columns or column in table.crosswalk or column in table.free_text:
        return []
    looked_at = column_of(ScannedColumn(column, list(values), 0))
    if (told := _told(looked_at, values)) is None:
        return []
    severity, what = told
    return [Finding(severity, f"{name}.{column}", what, WHAT_TO_DO)]


def _told(column: Column, values: Sequence[str]) -> tuple[Severity, str] | None:
    said = set(shapes.words(column.name))
    if kind := shapes.direct_identifier(values):
        return Severity.ERROR, f"its values look like {kind}, and they would be loaded"
    named = bool(said & (patterns.NAME_WORDS | patterns.SOLE_NAME_WORDS))
    if column.direct and named and shapes.looks_like_names(values):
        return Severity.ERROR, "it holds names of people by its name and its values, and they would be loaded"
    if column.direct:
        return Severity.WARNING, f"it may identify people directly: {column.doubt or 'its name says so'}"
    if column.identity and column.type == "string":
        return (
            Severity.WARNING,
            f"its name says that it is the number of a {column.identity}, and it is loaded as it is",
        )
    if column.free_text:
        return Severity.WARNING, "it holds sentences, which may name people"
    return None
