"""The last result of each analysis before an order is judged, and how it moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import INSTANT, Columns, found_at, picked
from models.prescription_review.config import Analyte
from models.prescription_review.known import PERSON

NO_ROW = -1


def last_results(orders: Columns, results: Columns, analytes: Mapping[str, Analyte], trend_days: int) -> Columns:
    """As-of join on the time a result became available: a sample drawn before the order may be read after it.

    All analyses in one search: for two orders the number of calls counts, for a million the number of rows.

    Args:
        results: sorted by person, analysis and time; ``analyte`` is a position in ``analytes``.
        trend_days: the lowest and the highest value are those of so many days until then, the last one included.
    Returns:
        For each analysis: its value, ``_age_h`` (hours since it was drawn), ``_previous`` (the value before), ``_id``,
        ``_at`` (when it was drawn); of those with a trend also ``_lowest`` and ``_highest``.
    """
    now, names, span = orders["index_time"], [*analytes], len(analytes)
    times = np.unique(results["seen_at"])
    people = np.unique(results[PERSON])
    person, there = found_at(people, orders[PERSON])
    place = (np.searchsorted(people, results[PERSON]) * span + results["analyte"]) * len(times)
    place += np.searchsorted(times, results["seen_at"])
    group = ((person[:, None] * span + np.arange(span)) * len(times)).ravel()

    def at(instant: NDArray[Any], analyte: int | None = None) -> NDArray[np.int64]:
        """Position of the first row that was seen after an instant, of each order and each analysis, or one."""
        many = (group, span) if analyte is None else (group[analyte::span], 1)
        return np.searchsorted(place, many[0] + np.repeat(np.searchsorted(times, instant, "right"), many[1]), "left")

    first, end = np.searchsorted(place, group), at(now)
    row = np.where((end > first) & np.repeat(there, span), end - 1, NO_ROW)
    oldest = np.array([analyte.max_age_days for analyte in analytes.values()], "timedelta64[D]")
    seen = picked(results["seen_at"], row, np.datetime64("NaT"))
    row = np.where(np.repeat(now, span) - seen <= np.tile(oldest, len(now)), row, NO_ROW)
    before = np.where((row > first) & (row >= 0), row - 1, NO_ROW)
    drawn = picked(results["at"], row, np.datetime64("NaT"))
    columns = {
        "": picked(results["value"], row, np.nan),
        "_age_h": (np.repeat(now, span) - drawn) / np.timedelta64(1, "s") / 3600,
        "_previous": picked(results["value"], before, np.nan),
        "_id": picked(results["id"], row, NO_ROW),
        "_at": drawn.astype(INSTANT),
    }
    matrices = {suffix: column.reshape(-1, span).T for suffix, column in columns.items()}
    found = {name + suffix: matrix[n] for n, name in enumerate(names) for suffix, matrix in matrices.items()}
    begin = now - np.timedelta64(trend_days, "D") - np.timedelta64(1, "us")
    for n in (n for n, analyte in enumerate(analytes.values()) if analyte.trend):
        start = np.maximum(at(begin, n), first[n::span])
        for suffix, of in (("_lowest", np.minimum), ("_highest", np.maximum)):
            found[names[n] + suffix] = _extreme(of, results["value"], start, row[n::span])
    return found


def _extreme(of: np.ufunc, values: NDArray[Any], start: NDArray[Any], last: NDArray[Any]) -> NDArray[Any]:
    """The extreme of the values from a position to another, both included; NaN where there is none."""
    none = (last < 0) | (start > last)
    bounds = np.column_stack([np.where(none, 0, start), np.where(none, 1, last + 1)]).ravel()
    found = of.reduceat(np.append(values, [np.nan, np.nan]), bounds)[::2] if len(bounds) else np.empty(0)
    return np.where(none, np.nan, found)
