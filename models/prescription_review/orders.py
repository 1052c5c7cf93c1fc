"""The orders as the model sees them: one row each, at the instant it is judged, with the orders then active."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import INSTANT, Columns, Rows, found_at, instants, pairs, plain, take, texts
from models.prescription_review.interactions.routes import route_number
from models.prescription_review.routes import FAMILY, route_of
from models.prescription_review.units import CANONICAL, canonical_dose

Instants = NDArray[Any]  # datetime64[us], naive UTC
NO_END = pd.Timestamp("2262-01-01")
KEY = "drug_exposure_id"
ADMITTED = ("inpatient", "emergency")  # kinds of stay that the patient leaves with nothing of it going on
RENEWED_DAYS = 365  # a French prescription is renewed over twelve months at most
GAP_DAYS = 7  # a treatment goes on over a gap of this length: a transfer, a week-end at home


def prepare_orders(drug_orders: Columns) -> Columns:
    """Orders with clean doses, sorted by patient and time.

    ``written_at`` is when the order begins, or when it became known if that is later. ``index_time``, the instant at
    which it is judged, is the same until `judged_at` says otherwise. An end that lies before an index time is known
    then, a later one changes nothing.

    Args:
        drug_orders: columns of the view.
    """
    _, first = np.unique(drug_orders[KEY], return_index=True)
    rows = take(drug_orders, first)
    rows = take(rows, ~np.isnat(instants(rows["started_at"])))
    started, available, ended = (instants(rows[name]) for name in ("started_at", "available_at", "ended_at"))
    atc, local = np.array([_atc(text) for text in texts(rows["atc_code"])], dtype=object), texts(rows["source_code"])
    per_day = rows["doses_per_day"].astype(float)
    written = list(zip(texts(rows["route_source"]), rows["route_concept_id"].tolist(), strict=True))
    routes = [route_of(text, concept) for text, concept in written]
    dose = canonical_dose(pd.Series(rows["dose_value"]), pd.Series(rows["dose_unit"]))
    orders: Columns = {
        KEY: rows[KEY].astype(np.int64),
        "person_id": rows["person_id"].astype(np.int64),
        "visit_occurrence_id": rows["visit_occurrence_id"].astype(np.int64),
        "written_at": np.fmax(started, available),
        "index_time": np.fmax(started, available),
        "started_at": started,
        "end_time": np.where(np.isnat(ended), np.asarray(NO_END, INSTANT), ended),
        "atc": atc,
        "drug": drug_key(rows["drug_concept_id"], local, atc),
        "drug_name": _names(texts(rows["concept_name"]), local),
        "label": _labels(texts(rows["concept_name"]), local),
        "route_number": np.array([route_number(*one, code) for one, code in zip(written, atc, strict=True)], np.int64),
        "route": np.array([FAMILY.get(route, route) for route in routes], dtype=object),
        "route_detail": np.array(routes, dtype=object),
        "route_code": _route_codes(rows),
        "per_day": np.where(per_day > 0, per_day, np.nan),
        "dose": dose["dose"].to_numpy(float),
        "unit": dose["unit"].to_numpy(object),
    }
    # Two products of one substance are alike in milligrams, not in tablets.
    measured = np.isin(orders["unit"], CANONICAL) | (local == "")
    orders["product"] = np.where(measured, orders["drug"], local)
    orders["daily"] = (orders["dose"] * orders["per_day"]).round(9)
    return take(orders, np.lexsort((orders[KEY], orders["written_at"], orders["person_id"])))


def ended_with_stay(orders: Columns, stays: Columns) -> Columns:
    """The same orders, none going on when the stay is over in which it was written.

    Records leave lines open, and a ward does not go on with them once the patient has left. What a consultation
    ordered is for home, and goes on; without an end for as long as a prescription may be renewed.

    Args:
        stays: columns visit_occurrence_id, kind and ended_at (NaT: not left yet), each stay once.
    """
    by_number = np.argsort(stays["visit_occurrence_id"])
    at, known = found_at(stays["visit_occurrence_id"][by_number], orders["visit_occurrence_id"])
    of_stay = np.flatnonzero(known)
    stay = by_number[at[of_stay]]
    admitted = np.isin(stays["kind"][stay], ADMITTED)
    end = orders["end_time"].copy()
    end[of_stay] = np.fmin(end[of_stay], np.where(admitted, stays["ended_at"][stay], np.datetime64("NaT")))
    open_at_home = of_stay[~admitted & (end[of_stay] == np.asarray(NO_END, INSTANT))]
    end[open_at_home] = orders["written_at"][open_at_home] + np.timedelta64(RENEWED_DAYS, "D")
    return orders | {"end_time": end}


def judged_at(
    orders: Columns, within_hours: float, *, reviewed_at: Instants, as_of: datetime | None = None
) -> Instants:
    """When each order is judged: when it was reviewed, else so long after it was written; never once it has ended.

    Args:
        reviewed_at: the review that gives the label; NaT where there is none, and for whoever predicts.
        as_of: nothing later is known.
    """
    written = orders["written_at"]
    at = np.where(np.isnat(reviewed_at), written + np.timedelta64(int(within_hours * 3600), "s"), reviewed_at)
    at = np.minimum(at, orders["end_time"] - np.timedelta64(1, "s"))
    if as_of is not None:
        at = np.minimum(at, np.datetime64(naive_utc(as_of), "us"))
    return np.maximum(at, written)


def naive_utc(instant: datetime) -> datetime:
    """Instants are compared in naive UTC; one without a zone is taken as UTC."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _route_codes(rows: Columns) -> NDArray[np.float64]:
    """A number for each way to write a route, the same everywhere; NaN where none is written.

    Not for the route that it means: a hospital's own word for one that we do not know is still usual there, or not.
    """
    return np.array([_route_code(text) for text in texts(rows["route_source"])], dtype=float)


@lru_cache(maxsize=10_000)
def _route_code(text: str) -> float:
    return float(crc32(plain(text).encode())) if text.strip() else np.nan


@lru_cache(maxsize=10_000)
def _atc(text: str) -> str:
    return text.strip().upper()


def _names(concept: NDArray[np.object_], local: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.array([name or code or "médicament" for name, code in zip(concept, local, strict=True)], dtype=object)


def _labels(concept: NDArray[np.object_], local: NDArray[np.object_]) -> NDArray[np.object_]:
    """All that is written about the product, as patterns are compared with it: its form may stand in either."""
    return np.array([plain(f"{name} {code}") for name, code in zip(concept, local, strict=True)], dtype=object)


def drug_key(concept: NDArray[np.int64], local: NDArray[np.object_], atc: NDArray[np.object_]) -> NDArray[np.object_]:
    """What makes two orders the same drug: the substance, else the concept, else the hospital's own code."""
    pairs = zip(concept.tolist(), local, strict=True)
    other = [f"concept {number}" if number > 0 else f"code {code}" for number, code in pairs]
    return np.where(atc != "", atc, np.array(other, dtype=object))


def treated_since(orders: Columns, group: Rows, gap_days: int = GAP_DAYS) -> Instants:
    """When the treatment began that each order goes on with: orders of a group without a longer gap between them.

    Nothing but beginnings and ends before the order itself counts, so what follows it changes nothing.

    Args:
        group: code of each order; only orders of one patient may share one.
    """
    begin, end = orders["written_at"], orders["end_time"]
    order = np.lexsort((begin, group))
    longest = np.asarray(begin - np.timedelta64(gap_days, "D"))
    _, rank = np.unique(np.concatenate([end, longest]), return_inverse=True)
    place = group[order] * (len(rank) + 1)
    until = np.maximum.accumulate(place + rank[: len(group)][order])
    new = np.ones(len(group), dtype=bool)
    new[1:] = until[:-1] < (place + rank[len(group) :][order])[1:]
    first = np.flatnonzero(new)
    since = np.empty(len(group), dtype=begin.dtype)
    since[order] = begin[order][first[np.cumsum(new) - 1]]
    return since


def count_active(orders: Columns, group: Rows, asked: Rows) -> NDArray[np.int64]:
    """How many orders of the same group are active at the index time of each order asked about, itself included.

    Counted without pairs: begun at or before, minus ended at or before. O(n log n).

    Args:
        group: code of each order; only orders of one patient may share one.
        asked: positions of orders.
    """
    values = np.concatenate([orders["written_at"], orders["end_time"], orders["index_time"]])
    _, rank = np.unique(values, return_inverse=True)
    begin, end, judged = rank[: len(group)], rank[len(group) : -len(group) or None], rank[len(rank) - len(group) :]
    real = end > begin  # stopped before it began: never active
    span = len(values) + 1
    at = group * span + begin
    begun, ended = np.sort(at[real]), np.sort(group[real] * span + end[real])
    now, start = (group * span + judged)[asked], group[asked] * span - 1
    count: NDArray[np.int64] = (np.searchsorted(begun, now, "right") - np.searchsorted(begun, start, "right")) - (
        np.searchsorted(ended, now, "right") - np.searchsorted(ended, start, "right")
    )
    return count + ~real[asked]


def active_pairs(orders: Columns, here: Rows, here_key: Rows, other: Rows, other_key: Rows) -> tuple[Rows, Rows]:
    """Each order asked about with the other orders that are active when it is judged.

    Args:
        here, other: positions of orders; one may stand there several times, with several keys.
        here_key, other_key: their codes, which must be equal; only orders of one patient may share one.
    Returns:
        Positions in ``here`` and in ``other``.
    """
    i, j = pairs(here_key, other_key)
    one, two = here[i], other[j]
    begin, end, now = orders["written_at"][two], orders["end_time"][two], orders["index_time"][one]
    active = (one != two) & (begin <= now) & (end > now) & (end > begin)
    return i[active], j[active]


def ended_pairs(orders: Columns, here: Rows, here_key: Rows, other: Rows, other_key: Rows) -> tuple[Rows, Rows]:
    """Each order asked about with the other orders that ran beside it and had ended when it is judged.

    Arguments and result as `active_pairs`.
    """
    i, j = pairs(here_key, other_key)
    one, two = here[i], other[j]
    begin, end, now = orders["written_at"][two], orders["end_time"][two], orders["index_time"][one]
    ran = (one != two) & (end <= now) & (end > orders["written_at"][one]) & (end > begin)
    return i[ran], j[ran]
