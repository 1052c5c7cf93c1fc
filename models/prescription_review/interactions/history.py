"""Two drugs that a patient has already had together: a later order of the same two says nothing new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, codes, last_until, pairs, take
from models.prescription_review.interactions.matching import Orders

REMEMBERED = np.timedelta64(365, "D")


def already_together(found: Columns, orders: Orders) -> NDArray[np.bool_]:
    """Whether the two drugs of each match were active together within a year before the order asked about began.

    The end of an earlier order counts only where it had passed, as everywhere.
    """
    columns = orders.columns
    one, other = orders.asked[found["at"]], found["there"]
    whose = codes(columns["person"], columns["drug"])
    candidates = np.flatnonzero(np.isin(whose, np.union1d(whose[one], whose[other])))
    i, j = pairs(columns["person"][candidates], columns["person"][candidates])
    first, second = candidates[i], candidates[j]
    began = columns["begin"][first]
    together = (whose[first] != whose[second]) & (columns["begin"][second] <= began) & (columns["end"][second] > began)
    together &= columns["end"][first] > began
    seen = {"key": _key(whose, first[together], second[together]), "at": began[together]}
    seen = take(seen, np.lexsort((seen["at"], seen["key"])))
    now = columns["begin"][one]
    row = last_until(seen["key"], seen["at"], _key(whose, one, other), now - np.timedelta64(1, "us"))
    then = np.where(row >= 0, seen["at"][row], now - 2 * REMEMBERED) if len(seen["at"]) else now - 2 * REMEMBERED
    return np.asarray(now - then <= REMEMBERED, dtype=bool)


def _key(whose: Rows, one: Rows, other: Rows) -> Rows:
    """A number for two drugs of a person, whichever was ordered first."""
    low, high = np.minimum(whose[one], whose[other]), np.maximum(whose[one], whose[other])
    return low * (whose.max(initial=0) + 1) + high
