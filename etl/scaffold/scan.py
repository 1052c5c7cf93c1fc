"""What a look at a source gives: its tables, their columns, and a sample of the values of each. Kept in memory only."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

SAMPLE_ROWS = 20_000
SECONDS = 5.0  # for each table; a sample of the rows that could be read meanwhile is enough for a first declaration
_SEED = 4


@dataclass
class ScannedColumn:
    """A column and its sampled values, empty ones left out."""

    name: str
    values: list[str]
    empty: int
    declared_type: str | None = None  # as the database says it

    @cached_property
    def distinct(self) -> int:
        return len(set(self.values))


@dataclass
class ScannedTable:
    """A table and a sample of its rows."""

    name: str
    where: str  # path below the folder, or relation
    columns: list[ScannedColumn]
    rows: int  # in the sample
    total: int | None  # all rows, when the scan reached the end
    primary_key: tuple[str, ...] = ()
    records: list[list[str]] = field(default_factory=list)  # the sampled rows, aligned with `columns`
    problems: list[str] = field(default_factory=list)

    def column(self, name: str) -> ScannedColumn:
        return next(column for column in self.columns if column.name == name)

    def index(self, name: str) -> int:
        return [column.name for column in self.columns].index(name)

    @property
    def complete(self) -> bool:
        """Whether the sample is the whole table."""
        return self.total == self.rows


@dataclass
class Scan:
    """A source that was looked at."""

    kind: str  # files, postgresql
    tables: list[ScannedTable]
    encoding: str = "utf-8"
    delimiter: str = ","
    schema: str = "public"
    unread: dict[str, str] = field(default_factory=dict)  # file or relation → why it is not in `tables`


def table_of(
    name: str, where: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, seconds: float = SECONDS
) -> ScannedTable:
    """Sample the rows of a table: each row of what could be read in the time has the same chance."""
    chosen, seen, complete = _reservoir(rows, len(header), seconds)
    columns = [
        ScannedColumn(column, [r[i] for r in chosen if r[i].strip()], sum(not r[i].strip() for r in chosen))
        for i, column in enumerate(header)
    ]
    return ScannedTable(name, where, columns, len(chosen), seen if complete else None, records=chosen)


def _reservoir(rows: Iterable[Sequence[str]], width: int, seconds: float) -> tuple[list[list[str]], int, bool]:
    chance, until = random.Random(_SEED), time.monotonic() + seconds
    chosen: list[list[str]] = []
    seen = 0
    for row in rows:
        if len(row) != width:
            continue
        seen += 1
        if len(chosen) < SAMPLE_ROWS:
            chosen.append(list(row))
        elif (place := chance.randrange(seen)) < SAMPLE_ROWS:
            chosen[place] = list(row)
        if seen % 1000 == 0 and time.monotonic() > until:
            return chosen, seen, False
    return chosen, seen, True


def frequent(values: Iterable[str], at_least: int, owners: Iterable[str] | None = None) -> list[tuple[str, int]]:
    """Values that enough people share, the most frequent first, with their rows.

    Args:
        at_least: people (or rows, where a table knows no people) that must have a value before it is shown.
        owners: for each value, whose row it is.
    """
    listed = list(values)
    counted = Counter(listed)
    shared = Counter(v for v, _ in set(zip(listed, owners, strict=True))) if owners is not None else counted
    return [(value, n) for value, n in counted.most_common() if shared[value] >= at_least]
