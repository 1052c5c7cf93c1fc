"""What a report may show of a column: shares and counts of all, values of codes and categories only.

A value is shown when enough people share it. Identifiers, direct identifiers, free text, dates, numbers and columns in
doubt show no value at all.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence

from etl.scaffold import patterns
from etl.scaffold.infer import CATEGORY_VALUES, Column, Person, Stay, Table
from etl.scaffold.scan import frequent
from etl.scaffold.shapes import any_word

MIN_PEOPLE = 10
TOP = 12
LABELLED = ("condition", "drug", "measurement", "procedure")  # the label of a row is that of its main code
USAGI = (
    "sourceCode",
    "sourceName",
    "sourceFrequency",
    "mappingStatus",
    "equivalence",
    "conceptId",
    "conceptName",
    "comment",
)


def values_shown(table: Table, column: Column) -> list[tuple[str, int]]:
    """The frequent values of a column that may be shown, with their rows; empty when none may."""
    secret = column.identity or column.direct or column.free_text or table.key == (column.name,)
    measured = column.type not in ("string", "boolean") or any_word(column.name, patterns.VALUE)
    varied = table.scanned.column(column.name).distinct > CATEGORY_VALUES and column.vocabulary is None
    if secret or measured or varied or (column.doubt and "people" in column.doubt):
        return []
    return _frequent(table, column)


def concept_map(table: Table, column: Column, prefix: str) -> str:
    """The frequent codes of a column in the columns of Usagi, nothing approved."""
    names = _labels(table, column) if prefix in LABELLED else {}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(USAGI)
    for code, rows in _frequent(table, column):
        concept, said = patterns.PROPOSED.get((prefix, code.strip().lower()), (0, ""))
        comment = "proposed from the code alone" if concept else ""
        writer.writerow([code, names.get(code, ""), rows, "UNCHECKED", "", concept, said, comment])
    return buffer.getvalue()


def _frequent(table: Table, column: Column) -> list[tuple[str, int]]:
    cells = _cells(table, column.name)
    owner = table.of_identity(Person) or table.of_identity(Stay)
    whose = _cells(table, owner.name) if owner is not None else [str(i) for i in range(len(cells))]
    pairs = [(value, who) for value, who in zip(cells, whose, strict=True) if value.strip()]
    return frequent([v for v, _ in pairs], MIN_PEOPLE, [w for _, w in pairs])


def _labels(table: Table, column: Column) -> dict[str, str]:
    """The label beside each code, where enough rows have the same."""
    beside = table.named(patterns.LABEL_WORDS, "string")
    if beside is None or beside is column or beside.doubt:
        return {}
    pairs = Counter(zip(_cells(table, column.name), _cells(table, beside.name), strict=True))
    found: dict[str, str] = {}
    for (code, label), n in pairs.most_common():
        if n >= MIN_PEOPLE and code not in found:
            found[code] = label
    return found


def _cells(table: Table, name: str) -> Sequence[str]:
    place = table.scanned.index(name)
    return [row[place] for row in table.scanned.records]


def what_it_is(column: Column) -> str:
    """One word for what a column was taken for."""
    if column.identity:
        return f"identifier ({column.identity})"
    if column.direct:
        return "direct identifier"
    if column.free_text:
        return "free text"
    return f"codes: {column.vocabulary}" if column.vocabulary else column.type
