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
        ``_at`` (when it was drawn); ``_last_h``, the age of the last one even where it is too old to serve; of those
        with a trend also ``_lowest`` and ``_highest``, each with its ``_id`` and ``_at``.
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
    seen, last = (picked(results[name], row, np.datetime64("NaT")) for name in ("seen_at", "at"))
    row = np.where(np.repeat(now, span) - seen <= np.tile(oldest, len(now)), row, NO_ROW)
    before = np.where((row > first) & (row >= 0), row - 1, NO_ROW)
    drawn = picked(results["at"], row, np.datetime64("NaT"))
    columns = _named("", results, row) | {
        "_age_h": (np.repeat(now, span) - drawn) / np.timedelta64(1, "s") / 3600,
        "_last_h": (np.repeat(now, span) - last) / np.timedelta64(1, "s") / 3600,
        "_previous": picked(results["value"], before, np.nan),
    }
    matrices = {suffix: column.reshape(-1, span).T for suffix, column in columns.items()}
    found = {name + suffix: matrix[n] for n, name in enumerate(names) for suffix, matrix in matrices.items()}
    begin = now - np.timedelta64(trend_days, "D") - np.timedelta64(1, "us")
    by_value = np.argsort(results["value"], kind="stable")
    rank = np.empty(len(by_value) + 2, dtype=np.int64)
    rank[by_value] = np.arange(len(by_value))
    for n in (n for n, analyte in enumerate(analytes.values()) if analyte.trend):
        start = np.maximum(at(begin, n), first[n::span])
        for suffix, of in (("_lowest", np.minimum), ("_highest", np.maximum)):
            found |= _named(names[n] + suffix, results, _extreme(of, by_value, rank, start, row[n::span]))
    return found


def _named(name: str, results: Columns, row: NDArray[np.int64]) -> Columns:
    """Value, id and time of some results; a negative row is none."""
    return {
        name: picked(results["value"], row, np.nan),
        f"{name}_id": picked(results["id"], row, NO_ROW),
        f"{name}_at": picked(results["at"], row, np.datetime64("NaT")).astype(INSTANT),
    }


def _extreme(
    of: np.ufunc, by_value: NDArray[np.int64], rank: NDArray[np.int64], start: NDArray[Any], last: NDArray[Any]
) -> NDArray[np.int64]:
    """Which of the rows from one to another, both included, has the lowest or the highest value; -1 where none is.

    Args:
        by_value: the rows in the order of their values; ``rank``: the place of each there, and two more.
    """
    none = (last < 0) | (start > last)
    bounds = np.column_stack([np.where(none, 0, start), np.where(none, 1, last + 1)]).ravel()
    found = of.reduceat(rank, bounds)[::2] if len(bounds) else np.empty(0, dtype=np.int64)
    return np.where(none, NO_ROW, np.append(by_value, NO_ROW)[np.where(none, 0, found)])
