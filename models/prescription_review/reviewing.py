"""How likely an order was to be reviewed: those that were are no fair sample of those that were written."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
KNOWN_WHEN_WRITTEN = ("atc2", "route", "stay_kind", "hour", "weekend", "per_day")
FREQUENT = 30  # orders of a category, fewer are one together
LEAST, MOST = 0.1, 0.95  # chances are taken as within these: no order may count for more than ten


def inverse_chances(orders: pd.DataFrame, reviewed: NDArray[np.bool_]) -> Array:
    """Weight of each order if it was reviewed: one over its chance to be, with mean 1 over those that were.

    Args:
        orders: columns ``KNOWN_WHEN_WRITTEN``: what came later, the review may have caused.
        reviewed: shape (n,).
    Returns:
        Shape (n,); 1 everywhere when all or none were reviewed.
    """
    if reviewed.all() or not reviewed.any():
        return np.ones(len(orders))
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    kinds = orders[list(KNOWN_WHEN_WRITTEN)].astype(str)
    table = OneHotEncoder(min_frequency=FREQUENT, handle_unknown="infrequent_if_exist").fit_transform(kinds)
    model = LogisticRegression(C=1.0, max_iter=1000, random_state=0).fit(table, reviewed)
    weight = 1 / np.clip(model.predict_proba(table)[:, 1], LEAST, MOST)
    return np.asarray(weight / weight[reviewed].mean())
