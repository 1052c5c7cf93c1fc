"""What nurses gave of each order, against what was ordered: a treatment that nobody receives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, codes

HOURS_PER_DAY = 24
LEAST = 1.0  # doses that were due; before, nothing can be missing


def given_share(orders: Columns, gifts: Columns) -> NDArray[np.float64]:
    """Doses given from the writing of each order until it is judged, over those that were due, one more of each.

    One more, for to miss the only one that was due says less than to miss all of many.

    Args:
        orders: columns person_id, drug, per_day, written_at, index_time.
        gifts: columns person_id, drug and ``at``, when each was known; sorted by nothing.
    Returns:
        Shape (orders,); NaN where fewer than one dose was due, and everywhere in a hospital that records no gift.
    """
    hours = (orders["index_time"] - orders["written_at"]) / np.timedelta64(1, "h")
    due = orders["per_day"] * hours / HOURS_PER_DAY
    number = len(orders["drug"])
    if not len(gifts["drug"]):
        return np.full(number, np.nan)
    key = codes(*(np.concatenate([orders[name], gifts[name]]) for name in ("person_id", "drug")))
    _, rank = np.unique(np.concatenate([orders["written_at"], orders["index_time"], gifts["at"]]), return_inverse=True)
    place = np.sort(key[number:] * (len(rank) + 1) + rank[2 * number :])
    start, end = (key[:number] * (len(rank) + 1) + rank[part] for part in (slice(number), slice(number, 2 * number)))
    given = np.searchsorted(place, end, "right") - np.searchsorted(place, start, "left")
    return np.where(due >= LEAST, (given + 1) / (np.maximum(due, LEAST) + 1), np.nan)
