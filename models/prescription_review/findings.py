"""Findings: one row each, and the small steps by which rules make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, take
from models.prescription_review.orders import KEY

View = Mapping[str, NDArray[Any]]
SEVERITY_RANK = {"low": 1, "moderate": 2, "high": 3}
COLUMNS = [KEY, "rule", "line", "severity", "value", "limit", "other_table", "other_id", "detail", "note"]
_KINDS: dict[str, Any] = dict.fromkeys(COLUMNS, object) | {
    KEY: np.int64, "other_id": np.int64, "value": np.float64, "limit": np.float64,
}  # fmt: skip
NONE: Columns = {name: np.empty(0, dtype=kind) for name, kind in _KINDS.items()}
NO_ROW = -1
# Notes of what is over when an order is judged: the other order, a result that was worse than the last one.
ENDED, PAST = "ended", "past"
ROUNDING = 1 + 1e-9  # 3 x 0.1 is not above 0.3


def findings(facts: View, rows: View, rule: str, **columns: Any) -> Columns:
    """Rows of ``COLUMNS``.

    Args:
        facts: of the orders asked about.
        rows: with ``at`` (which order asked about) and ``line``.
        columns: the others; a severity at least.
    """
    number = len(rows["at"])
    if not number:
        return NONE
    nothing = {"value": np.nan, "limit": np.nan, "other_table": "", "other_id": NO_ROW, "detail": "", "note": ""}
    given = {KEY: facts[KEY][rows["at"]], "rule": rule, "line": rows["line"], **nothing, **columns}
    return {name: np.array(np.broadcast_to(given[name], number), dtype=kind) for name, kind in _KINDS.items()}


def named(lines: View, *names: str) -> Columns:
    """Some of the columns."""
    return {name: lines[name] for name in names}


def kept(met: NDArray[np.bool_], **columns: NDArray[Any]) -> Columns:
    """The rows that meet a condition."""
    rows = np.flatnonzero(met)
    return {name: column[rows] for name, column in columns.items()}


def of_that_age(orders: View, lines: View) -> NDArray[np.bool_]:
    """Whether the patient's age lies within the line's; a missing age lies nowhere."""
    low, below = lines["age_from"], lines["age_below"]
    found: NDArray[np.bool_] = (orders["age"] >= np.nan_to_num(low)) & ~(orders["age"] >= below)
    return found


def by_excess(ratio: NDArray[np.float64]) -> NDArray[Any]:
    """Up to a quarter above the maximum is often meant; twice is rarely so."""
    words = np.select([ratio >= 2 / ROUNDING, ratio > 1.25 * ROUNDING], ["high", "moderate"], "low")
    return words.astype(object)


def gravest_first(lines: Columns, line_at: Rows) -> Rows:
    """A number for each row, smaller for a graver line of a table; of two equally grave lines the first one's.

    Args:
        lines: a table with a severity; ``line_at``: position of the line of each row.
    """
    rank = np.array([-SEVERITY_RANK[severity] for severity in lines["severity"]], dtype=np.int64)
    return rank[line_at] * len(rank) + line_at


def first_each(rows: Columns, *key: str, by: str) -> Columns:
    """Of the rows with an equal key the one with the smallest ``by``; sorted by key."""
    rows = take(rows, np.lexsort([rows[name] for name in (by, *reversed(key))]))
    return take(rows, _changes(rows, key))


def _changes(rows: Columns, key: tuple[str, ...]) -> NDArray[np.bool_]:
    """Where the key differs from that of the row before."""
    differs = np.ones(len(rows[key[0]]), dtype=bool)
    differs[1:] = np.any([rows[name][1:] != rows[name][:-1] for name in key], axis=0)
    return differs
