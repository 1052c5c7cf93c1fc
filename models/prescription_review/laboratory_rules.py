"""Rules on laboratory results: a limit of the substance, an effect that is being seen, a result that is missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, stacked
from models.prescription_review.findings import ROUNDING, View, findings, kept
from models.prescription_review.lookup import Lookup

HOUR = np.timedelta64(3600 * 10**6, "us")


def renal(lookup: Lookup) -> Iterator[Columns]:
    """Contra-indicated, too high or too often at this kidney function."""
    at, orders, lines = lookup.lines("renal_limits")
    if not len(at):
        return
    clearance = orders["clearance"]
    applies = (clearance >= lines["clearance_from"]) & (clearance < lines["clearance_below"])
    too_much = (orders["unit"] == lines["unit"]) & (orders["daily"] > lines["max_daily"] * ROUNDING)
    too_often = orders["per_day"] > lines["max_per_day"] * ROUNDING
    met = applies & ((lines["action"] == "contraindicated") | too_much | too_often)
    rows = kept(
        met, at=at, line=lines["line"], severity=lines["severity"], value=clearance, limit=lines["clearance_below"],
        other=orders["creatinine_id"],
    )  # fmt: skip
    yield findings(
        lookup.facts, rows, "renal", severity=rows["severity"], value=rows["value"], limit=rows["limit"],
        other_table="measurement", other_id=rows["other"],
    )  # fmt: skip


def laboratory(lookup: Lookup) -> Iterator[Columns]:
    """A recent result on the wrong side of a limit of the substance."""
    yield _results(lookup, "lab", "limit")


def adverse(lookup: Lookup) -> Iterator[Columns]:
    """A result drawn under the treatment shows an effect that it is known for."""
    yield _results(lookup, "adverse", "adverse")


def _results(lookup: Lookup, rule: str, kind: str) -> Columns:
    at, orders, lines = lookup.lines("lab_limits")
    of_kind = lines["kind"] == kind if len(at) else np.zeros(0, dtype=bool)
    parts = []
    for analyte in sorted(set(lines["analyte"][of_kind])):
        met = of_kind & (lines["analyte"] == analyte) & _wrong(orders, lines, analyte)
        if kind == "adverse":
            met &= _drawn_under_treatment(lookup, at, orders[f"{analyte}_at"], lines["after_hours"])
        parts.append(kept(
            met, at=at, line=lines["line"], severity=lines["severity"], limit=lines["limit"], value=orders[analyte],
            other=orders[f"{analyte}_id"],
        ))  # fmt: skip
    if not parts:
        return findings(lookup.facts, {"at": at[:0]}, rule)
    rows = stacked(parts)
    return findings(
        lookup.facts, rows, rule, severity=rows["severity"], value=rows["value"], limit=rows["limit"],
        other_table="measurement", other_id=rows["other"],
    )  # fmt: skip


def _wrong(orders: View, lines: View, analyte: str) -> NDArray[np.bool_]:
    """Above, below, risen or fallen by a factor; with a rise or a fall, the value itself must also be out of bounds."""
    value, limit, side = orders[analyte], lines["limit"], lines["side"]
    risen, fallen = value / orders[f"{analyte}_lowest"], value / orders[f"{analyte}_highest"]
    met = np.select(
        [side == "above", side == "below", side == "rise"],
        [value > limit, value < limit, risen * ROUNDING >= limit],
        fallen <= limit * ROUNDING,
    )
    for bound, inside in (("value_from", value >= lines["value_from"]), ("value_below", value < lines["value_below"])):
        met &= inside | np.isnan(lines[bound])
    return met.astype(bool)


def _drawn_under_treatment(
    lookup: Lookup, at: NDArray[np.int64], drawn: NDArray[np.datetime64], after_hours: NDArray[np.float64]
) -> NDArray[np.bool_]:
    met: NDArray[np.bool_] = drawn - lookup.since[at] >= np.nan_to_num(after_hours).astype(np.int64) * HOUR
    return met


def monitoring(lookup: Lookup) -> Iterator[Columns]:
    """A treatment that has lasted for some time without the results by which it is watched.

    Silent where the hospital had no result of any of these analyses over the whole time: absence then means no feed.
    """
    at, orders, lines = lookup.lines("monitoring")
    if not len(at):
        return
    treated, now = lookup.treated_hours[at], orders["index_time"]
    late = treated >= lines["after_hours"]
    age, fed = np.full(len(at), np.inf), np.zeros(len(at), dtype=bool)
    expected_since = now - np.minimum(treated, 24 * lines["max_days"]).astype(np.int64) * HOUR
    asked = [set(text.split("|")) for text in lines["analytes"]]
    for analyte in sorted(set().union(*asked)):
        of_it = np.array([analyte in some for some in asked], dtype=bool)
        hours = orders[f"{analyte}_age_h"]
        age = np.where(of_it & ~np.isnan(hours), np.fmin(age, hours), age)
        fed |= of_it & (lookup.feeds.get(analyte, np.datetime64("NaT")) <= expected_since)
    met = late & fed & (age > 24 * lines["max_days"])
    days = np.where(np.isinf(age), np.nan, age / 24)
    rows = kept(met, at=at, line=lines["line"], severity=lines["severity"], value=days, limit=lines["max_days"],
                detail=lines["label"])  # fmt: skip
    yield findings(
        lookup.facts, rows, "monitoring", severity=rows["severity"], value=rows["value"], limit=rows["limit"],
        detail=rows["detail"],
    )  # fmt: skip
