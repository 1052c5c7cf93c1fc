"""The orders as the model sees them: one row each, at the instant it was written, with the orders then active."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.prescription_review.units import canonical_dose, route_group

NO_END = pd.Timestamp("2262-01-01")
KEY = "drug_exposure_id"


def prepare_orders(drug_orders: pd.DataFrame) -> pd.DataFrame:
    """Orders with clean doses, sorted by patient and time.

    ``index_time`` is when the order begins, or when it became known if that is later: what a pharmacist could
    have seen beside it. The order's own end is kept for the *other* orders only, where an end that lies
    before their index time is known and a later one changes nothing.
    """
    rows = drug_orders.dropna(subset=["started_at"]).drop_duplicates(KEY)
    available = rows["available_at"].fillna(rows["started_at"])
    atc = rows["atc_code"].fillna("").astype(str).str.strip().str.upper()
    orders = pd.DataFrame(
        {
            KEY: rows[KEY],
            "person_id": rows["person_id"],
            "visit_occurrence_id": rows["visit_occurrence_id"],
            "index_time": np.maximum(rows["started_at"], available),
            "started_at": rows["started_at"],
            "end_time": rows["ended_at"].fillna(NO_END),
            "atc": atc,
            "drug": _drug_key(rows, atc),
            "drug_name": rows["concept_name"].fillna(rows["source_code"]).fillna("médicament").astype(str),
            "route": route_group(rows["route_source"], rows["route_concept_id"]),
            "per_day": pd.to_numeric(rows["doses_per_day"], errors="coerce").where(lambda x: x > 0).astype(float),
        }
    )
    orders[["dose", "unit"]] = canonical_dose(rows["dose_value"], rows["dose_unit"])
    orders["daily"] = (orders["dose"] * orders["per_day"]).round(9)
    return orders.sort_values(["person_id", "index_time", KEY], ignore_index=True)


def _drug_key(rows: pd.DataFrame, atc: pd.Series) -> pd.Series:
    """What makes two orders the same drug: the substance, else the concept, else the hospital's own code."""
    concept = "concept " + rows["drug_concept_id"].astype(str)
    local = "code " + rows["source_code"].fillna("").astype(str)
    return atc.where(atc != "", concept.where(rows["drug_concept_id"] > 0, local))


def count_active(orders: pd.DataFrame, by: list[str]) -> pd.Series:
    """How many orders with the same values of ``by`` are active at each order's index time, itself included.

    Counted without pairs: begun at or before, minus ended at or before. O(n log n).
    """
    group = orders.groupby(by, sort=False).ngroup().to_numpy()
    instants = pd.concat([orders["index_time"], orders["end_time"]]).to_numpy()
    _, rank = np.unique(instants, return_inverse=True)
    begin, end = rank[: len(orders)], rank[len(orders) :]
    real = end > begin  # stopped before it began: never active
    span = len(instants) + 1
    at = group * span + begin
    begun = np.sort(at[real])
    ended = np.sort(group[real] * span + end[real])
    start = group * span - 1
    count = (np.searchsorted(begun, at, "right") - np.searchsorted(begun, start, "right")) - (
        np.searchsorted(ended, at, "right") - np.searchsorted(ended, start, "right")
    )
    return pd.Series(count + ~real, index=orders.index)


def active_pairs(left: pd.DataFrame, right: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """Each order of ``left`` with the other orders of ``right`` that are active when it is written.

    Args:
        left, right: rows of the orders' frame, with any further columns.
        on: columns that must be equal; ``person_id`` is among them.
    Returns:
        The merged rows; columns of the other order end with ``_other``.
    """
    pairs = left.merge(right, on=on, suffixes=("", "_other"))
    active = (
        (pairs[KEY] != pairs[f"{KEY}_other"])
        & (pairs["index_time_other"] <= pairs["index_time"])
        & (pairs["end_time_other"] > pairs["index_time"])
        & (pairs["end_time_other"] > pairs["index_time_other"])
    )
    return pairs[active]
