"""What the pharmacist did with an order, as a label. An order nobody reviewed has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import instants
from models.prescription_review.orders import KEY

NEVER = np.datetime64("NaT", "us")


def reviewed_at(order_reviews: pd.DataFrame, order_id: NDArray[np.int64]) -> NDArray[Any]:
    """When each order got the review that is its label: its first intervention, else its first review; NaT: none."""
    reviews = order_reviews.dropna(subset=["available_at"])
    reviews = reviews.assign(accepted=reviews["outcome"] != "intervention")
    first = reviews.sort_values(["accepted", "available_at"], kind="stable").drop_duplicates(KEY)
    at = first.set_index(KEY)["available_at"].reindex(order_id)
    return instants(at)


def order_labels(order_reviews: pd.DataFrame, orders: pd.DataFrame, as_of: np.datetime64 | None = None) -> pd.DataFrame:
    """One row per order of ``orders``: ``label`` 1 (intervention), 0 (accepted) or NaN (not reviewed), and problem.

    An intervention outweighs acceptances of the same order: the first reading may have missed it.

    Args:
        as_of: only reviews known before this instant; a model built then knows no other.
    """
    reviews = order_reviews.dropna(subset=["available_at"])
    if as_of is not None:
        reviews = reviews[reviews["available_at"] < as_of]
    positive = reviews["outcome"].eq("intervention").astype(float)
    label = positive.groupby(reviews[KEY]).max()
    found = reviews[reviews["outcome"] == "intervention"].sort_values(["available_at", "observation_id"])
    problem = found.drop_duplicates(KEY).set_index(KEY)["problem_code"]
    return pd.DataFrame(
        {"label": orders[KEY].map(label).astype(float), "problem": orders[KEY].map(problem).astype(object)},
        index=orders.index,
    )
