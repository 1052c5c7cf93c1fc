"""Rows of the event tables by month, or by a longer period where the data spans decades."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from passerelle.report.facts import Timeline

COLUMNS = 36  # periods that fit on a page
TAIL = 0.001  # share of the rows at either end that may stand outside: a wrong century must not flatten the picture

# Name, months, and how a period is called.
UNITS: tuple[tuple[str, int, Callable[[int], str]], ...] = (
    ("month", 1, lambda start: f"{start // 12}-{start % 12 + 1:02d}"),
    ("quarter", 3, lambda start: f"{start // 12} Q{start % 12 // 3 + 1}"),
    ("year", 12, lambda start: f"{start // 12}"),
    ("decade", 120, lambda start: f"{start // 12}s"),
)


@dataclass(frozen=True)
class Axis:
    """The periods of a picture: months, or longer where months would not fit."""

    unit: str
    length: int  # months of a period
    first: int  # period
    labels: Sequence[str]

    def place(self, month: int) -> int | None:
        """Column of a month; None when it lies outside."""
        column = month // self.length - self.first
        return column if 0 <= column < len(self.labels) else None

    def spread(self, months: Mapping[int, int]) -> list[int]:
        """Sums by period."""
        sums = [0] * len(self.labels)
        for month, rows in months.items():
            if (column := self.place(month)) is not None:
                sums[column] += rows
        return sums


def axis_of(total: Counter[int]) -> Axis:
    """The periods that show all but the thinnest tails of some rows, at least one.

    Args:
        total: (year * 12 + month - 1) → rows.
    """
    first, last = min(total), max(total)
    if last - first >= COLUMNS:
        first, last = _trimmed(total)
    unit, length, label = next((u for u in UNITS if last // u[1] - first // u[1] < COLUMNS), UNITS[-1])
    periods = range(first // length, last // length + 1)
    return Axis(unit, length, periods.start, [label(period * length) for period in periods])


def timeline_of(months: Mapping[str, Counter[int]]) -> Timeline | None:
    """Counts of each table by period.

    Args:
        months: table → (year * 12 + month - 1) → rows.
    """
    filled = {name: counter for name, counter in months.items() if counter}
    total: Counter[int] = sum(filled.values(), Counter())
    if not total:
        return None
    axis = axis_of(total)
    counts = {name: axis.spread(counter) for name, counter in filled.items()}
    shown = sum(sum(row) for row in counts.values())
    return Timeline(axis.unit, axis.labels, counts, sum(total.values()) - shown)


def _trimmed(total: Counter[int]) -> tuple[int, int]:
    """The first and last month between which all but the thinnest tails lie."""
    allowed = TAIL * sum(total.values())
    ends = []
    for months in (sorted(total), sorted(total, reverse=True)):
        seen = 0
        for month in months:
            seen += total[month]
            if seen > allowed:
                ends.append(month)
                break
    return ends[0], ends[1]
