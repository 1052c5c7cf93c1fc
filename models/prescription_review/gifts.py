"""What nurses gave of each order, against what was ordered: a treatment that nobody receives."""

from __future__ import annotations

import numpy as np

from models.prescription_review.columns import Columns, codes

HOURS_PER_DAY = 24
LEAST = 1.0  # doses that were due; before, nothing can be missing


def given(orders: Columns, gifts: Columns) -> Columns:
    """Doses given from the writing of each order until it is judged, and their share of those that were due.

    The share counts one more of each, for to miss the only one that was due says less than to miss all of many.

    Args:
        orders: columns person_id, drug, per_day, written_at, index_time.
        gifts: columns person_id, drug and ``at``, when each was known; sorted by nothing.
    Returns:
        ``given_doses`` and ``given_share``, shape (orders,) each; NaN where fewer than one dose was due, and everywhere
        in a hospital that records no gift.
    """
    hours = (orders["index_time"] - orders["written_at"]) / np.timedelta64(1, "h")
    due = orders["per_day"] * hours / HOURS_PER_DAY
    number = len(orders["drug"])
    if not len(gifts["drug"]):
        return dict.fromkeys(("given_doses", "given_share"), np.full(number, np.nan))
    key = codes(*(np.concatenate([orders[name], gifts[name]]) for name in ("person_id", "drug")))
    _, rank = np.unique(np.concatenate([orders["written_at"], orders["index_time"], gifts["at"]]), return_inverse=True)
    place = np.sort(key[number:] * (len(rank) + 1) + rank[2 * number :])
    start, end = (key[:number] * (len(rank) + 1) + rank[part] for part in (slice(number), slice(number, 2 * number)))
    doses = np.where(due >= LEAST, np.searchsorted(place, end, "right") - np.searchsorted(place, start, "left"), np.nan)
    return {"given_doses": doses, "given_share": (doses + 1) / (np.maximum(due, LEAST) + 1)}
