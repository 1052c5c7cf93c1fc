"""Rows of the event tables by month, or by a longer period where the data spans decades."""

from collections import Counter
from collections.abc import Callable, Mapping

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


def timeline_of(months: Mapping[str, Counter[int]]) -> Timeline | None:
    """Counts of each table by period.

    Args:
        months: table → (year * 12 + month - 1) → rows.
    """
    filled = {name: counter for name, counter in months.items() if counter}
    total: Counter[int] = sum(filled.values(), Counter())
    if not total:
        return None
    first, last = min(total), max(total)
    if last - first >= COLUMNS:
        first, last = _trimmed(total)
    unit, length, label = next((u for u in UNITS if last // u[1] - first // u[1] < COLUMNS), UNITS[-1])
    periods = range(first // length, last // length + 1)
    counts = {}
    for name, counter in filled.items():
        by_period: Counter[int] = Counter()
        for month, rows in counter.items():
            by_period[month // length] += rows
        counts[name] = [by_period[period] for period in periods]
    shown = sum(sum(row) for row in counts.values())
    return Timeline(unit, [label(period * length) for period in periods], counts, sum(total.values()) - shown)


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
