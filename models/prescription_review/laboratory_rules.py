"""Rules on laboratory results: a limit of the substance, an effect that is being seen, a result that is missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, Taken
from models.prescription_review.findings import PAST, ROUNDING, View, findings, kept
from models.prescription_review.knowledge import Lines
from models.prescription_review.lookup import Lookup, of_that_route

HOUR = np.timedelta64(3600 * 10**6, "us")


def renal(lookup: Lookup) -> Iterator[Columns]:
    """Contra-indicated, too high or too often at this kidney function.

    A line that asks to adapt the dose finds nothing, whatever else it says: it tells the learner alone. The lowest
    filtration of the last days is looked at too: the order may have been written for those kidneys.
    """
    at, orders, lines = lookup.lines("renal_limits")
    if not len(at):
        return
    clearance, lowest = orders["clearance"], orders["filtration_lowest"]
    now = _speaks_against(orders, lines, clearance)
    then = ~now & _speaks_against(orders, lines, lowest)
    of_line = {"at": at, "line": lines["line"], "limit": lines["clearance_below"]}
    of_now = {"severity": lines["severity"], "value": clearance, "other": orders["creatinine_id"]}
    highest = np.where(np.isnan(orders["creatinine_highest"]), orders["creatinine_id"], orders["creatinine_highest_id"])
    of_then = {"severity": _low(at), "value": lowest, "other": highest}
    yield _measured(lookup, "renal", now, of_line | of_now)
    yield _measured(lookup, "renal", then, of_line | of_then, PAST)


def _speaks_against(orders: View, lines: View, filtration: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a line forbids the order, or its dose or rhythm, were the kidneys to filter so much."""
    applies = (filtration >= lines["clearance_from"]) & (filtration < lines["clearance_below"])
    applies &= of_that_route(orders, lines) & (lines["action"] != "adapt")
    too_much = (orders["unit"] == lines["unit"]) & (orders["daily"] > lines["max_daily"] * ROUNDING)
    too_often = orders["per_day"] > lines["max_per_day"] * ROUNDING
    found: NDArray[np.bool_] = applies & ((lines["action"] == "contraindicated") | too_much | too_often)
    return found


def laboratory(lookup: Lookup) -> Iterator[Columns]:
    """A recent result on the wrong side of a limit of the substance; or one of the last days, where the last is not."""
    table = lookup.knowledge.by_code["lab_limits"]
    for analyte, at, orders, lines in _by_analyte(lookup, "limit"):
        limit = lines["limit"]
        of_line = {"at": at, "line": lines["line"], "limit": limit}
        now = _wrong(orders, lines, analyte, table)
        of_now = {"severity": lines["severity"], "value": orders[analyte], "other": orders[f"{analyte}_id"]}
        yield _measured(lookup, "lab", now, of_line | of_now)
        for side, name in (("above", f"{analyte}_highest"), ("below", f"{analyte}_lowest")):
            if name in lookup.facts:
                beyond = orders[name] > limit if side == "above" else orders[name] < limit
                then = ~now & beyond & table.saying("side", side)[lines.rows]
                of_then = {"severity": _low(at), "value": orders[name], "other": orders[f"{name}_id"]}
                yield _measured(lookup, "lab", then, of_line | of_then, PAST)


def adverse(lookup: Lookup) -> Iterator[Columns]:
    """A result drawn under the treatment shows an effect that it is known for."""
    table = lookup.knowledge.by_code["lab_limits"]
    for analyte, at, orders, lines in _by_analyte(lookup, "adverse"):
        met = _wrong(orders, lines, analyte, table)
        met &= _drawn_under_treatment(lookup, at, orders[f"{analyte}_at"], lines["after_hours"])
        yield _measured(lookup, "adverse", met, {
            "at": at, "line": lines["line"], "limit": lines["limit"], "severity": lines["severity"],
            "value": orders[analyte], "other": orders[f"{analyte}_id"],
        })  # fmt: skip


def _by_analyte(lookup: Lookup, kind: str) -> Iterator[tuple[str, Rows, Taken, Taken]]:
    """Each analysis with the orders asked about (position, facts) and the lines of a kind that name it."""
    at, _, lines = lookup.lines("lab_limits")
    table = lookup.knowledge.by_code["lab_limits"]
    of_kind = table.saying("kind", kind)
    for analyte, named in table.naming("analyte").items():
        chosen = np.flatnonzero((of_kind & named)[lines.rows])
        if len(chosen):
            yield analyte, at[chosen], Taken(lookup.facts, at[chosen]), Taken(table.columns, lines.rows[chosen])


def _measured(lookup: Lookup, rule: str, met: NDArray[np.bool_], columns: Columns, note: str = "") -> Columns:
    """Findings that rest on a result, where a condition is met.

    Args:
        columns: ``at``, and as in a finding ``line``, ``severity``, ``value`` and ``limit``; ``other``: the result.
    """
    rows = kept(met, **columns)
    return findings(
        lookup.facts, rows, rule, severity=rows["severity"], value=rows["value"], limit=rows["limit"],
        other_table="measurement", other_id=rows["other"], note=note,
    )  # fmt: skip


def _low(at: Rows) -> NDArray[np.object_]:
    return np.full(len(at), "low", dtype=object)


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
    """A treatment by a route that the line names has lasted for some time without the results by which it is watched.

    Silent where the hospital had no result of any of these analyses over the whole time: absence then means no feed.
    """
    table = lookup.knowledge.by_code["monitoring"]
    at, row = table.of(lookup.drugs)
    if not len(at):
        return
    orders, lines = Taken(lookup.facts, at), Taken(table.columns, row)
    concerns = (lookup.treated_hours[at] >= lines["after_hours"]) & of_that_route(orders, lines)
    if not concerns.any():
        return
    at, row = at[concerns], row[concerns]
    orders, lines = Taken(lookup.facts, at), Taken(table.columns, row)
    age, fed = np.full(len(at), np.inf), np.zeros(len(at), dtype=bool)
    hours = np.minimum(lookup.treated_hours[at], 24 * lines["max_days"]).astype(np.int64)
    expected_since = orders["index_time"] - hours * HOUR
    for analyte, named in table.naming("analytes").items():
        here = np.flatnonzero(named[row])
        if len(here):
            age[here] = np.fmin(age[here], orders[f"{analyte}_last_h"][here])
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
