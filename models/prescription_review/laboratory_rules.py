"""Rules on laboratory results: a limit of the substance, an effect that is being seen, a result that is missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Taken, stacked
from models.prescription_review.findings import NONE, ROUNDING, View, findings, kept
from models.prescription_review.knowledge import Lines
from models.prescription_review.lookup import Lookup, of_that_route

HOUR = np.timedelta64(3600 * 10**6, "us")


def renal(lookup: Lookup) -> Iterator[Columns]:
    """Contra-indicated, too high or too often at this kidney function.

    A line that asks to adapt the dose finds nothing, whatever else it says: it tells the learner alone.
    """
    at, orders, lines = lookup.lines("renal_limits")
    if not len(at):
        return
    clearance = orders["clearance"]
    applies = (clearance >= lines["clearance_from"]) & (clearance < lines["clearance_below"])
    applies &= of_that_route(orders, lines) & (lines["action"] != "adapt")
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
    table = lookup.knowledge.by_code["lab_limits"]
    of_kind = table.saying("kind", kind)
    parts = []
    for analyte, named in table.naming("analyte").items():
        chosen = np.flatnonzero((of_kind & named)[lines.rows])
        if not len(chosen):
            continue
        orders, lines_here = Taken(lookup.facts, at[chosen]), Taken(table.columns, lines.rows[chosen])
        met = _wrong(orders, lines_here, analyte, table)
        if kind == "adverse":
            met &= _drawn_under_treatment(lookup, at[chosen], orders[f"{analyte}_at"], lines_here["after_hours"])
        parts.append(kept(
            met, at=at[chosen], row=lines_here.rows, value=orders[analyte], other=orders[f"{analyte}_id"],
        ))  # fmt: skip
    if not parts:
        return NONE
    rows = stacked(parts)
    lines = Taken(table.columns, rows["row"])
    return findings(
        lookup.facts, rows | {"line": lines["line"]}, rule, severity=lines["severity"], value=rows["value"],
        limit=lines["limit"], other_table="measurement", other_id=rows["other"],
    )  # fmt: skip


def _wrong(orders: View, lines: Taken, analyte: str, table: Lines) -> NDArray[np.bool_]:
    """Above, below, risen or fallen by a factor; with a rise or a fall, the value itself must also be out of bounds."""
    value, limit = orders[analyte], lines["limit"]
    above, below, rise, fall = (table.saying("side", side)[lines.rows] for side in ("above", "below", "rise", "fall"))
    met = (above & (value > limit)) | (below & (value < limit))
    if rise.any() or fall.any():
        met |= rise & (value * ROUNDING >= limit * orders[f"{analyte}_lowest"])
        met |= fall & (value <= limit * orders[f"{analyte}_highest"] * ROUNDING)
        met &= ~(value < lines["value_from"]) & ~(value >= lines["value_below"])
    return met


def _drawn_under_treatment(
    lookup: Lookup, at: NDArray[np.int64], drawn: NDArray[np.datetime64], after_hours: NDArray[np.float64]
) -> NDArray[np.bool_]:
    met: NDArray[np.bool_] = drawn - lookup.since[at] >= np.nan_to_num(after_hours).astype(np.int64) * HOUR
    return met


def monitoring(lookup: Lookup) -> Iterator[Columns]:
    """A treatment that has lasted for some time without the results by which it is watched.

    Silent where the hospital had no result of any of these analyses over the whole time: absence then means no feed.
    """
    table = lookup.knowledge.by_code["monitoring"]
    at, row = table.of(lookup.drugs)
    late = lookup.treated_hours[at] >= table.columns["after_hours"][row] if len(at) else np.zeros(0, dtype=bool)
    at, row = at[late], row[late]
    if not len(at):
        return
    orders, lines = Taken(lookup.facts, at), Taken(table.columns, row)
    age, fed = np.full(len(at), np.inf), np.zeros(len(at), dtype=bool)
    hours = np.minimum(lookup.treated_hours[at], 24 * lines["max_days"]).astype(np.int64)
    expected_since = orders["index_time"] - hours * HOUR
    for analyte, named in table.naming("analytes").items():
        here = np.flatnonzero(named[row])
        if len(here):
            age[here] = np.fmin(age[here], orders[f"{analyte}_age_h"][here])
            fed[here] |= lookup.feeds.get(analyte, np.datetime64("NaT")) <= expected_since[here]
    days = np.where(np.isinf(age), np.nan, age / 24)
    rows = kept(
        fed & (age > 24 * lines["max_days"]), at=at, line=lines["line"], severity=lines["severity"], value=days,
        limit=lines["max_days"], detail=lines["label"],
    )  # fmt: skip
    yield findings(
        lookup.facts, rows, "monitoring", severity=rows["severity"], value=rows["value"], limit=rows["limit"],
        detail=rows["detail"],
    )  # fmt: skip
