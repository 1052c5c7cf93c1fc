"""Rules on the dose of a day: too high, too high together, too low."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.prescription_review.columns import Columns, take
from models.prescription_review.findings import ROUNDING, by_excess, findings, first_each, kept, of_that_age
from models.prescription_review.lookup import Lookup, of_that_route
from models.prescription_review.orders import KEY


def dose_above_maximum(lookup: Lookup) -> Iterator[Columns]:
    """The daily dose of the line is above the maximum of the product information."""
    rows = take(lookup.maximum, lookup.maximum["ratio"] > ROUNDING)
    daily = lookup.facts["daily"][rows["at"]]
    yield findings(lookup.facts, rows, "dose", severity=by_excess(rows["ratio"]), value=daily, limit=rows["max_daily"])


def dose_sum_above_maximum(lookup: Lookup) -> Iterator[Columns]:
    """Several active lines of one substance are together above a maximum that this line alone respects."""
    here, there = lookup.same_substance
    others, facts = take(lookup.orders, there), lookup.facts
    alike = (others["unit"] == facts["unit"][here]) & (others["route"] == facts["route"][here])
    here, others = here[alike], take(others, alike)
    beside = np.bincount(here, np.nan_to_num(others["daily"]), len(facts[KEY]))
    first = first_each({"at": here, "other": others[KEY]}, "at", by="other")
    row = lookup.maximum
    row = take(row, np.isin(row["at"], first["at"]) & ~(row["ratio"] > ROUNDING))
    total = facts["daily"][row["at"]] + beside[row["at"]]
    above = total / row["max_daily"] > ROUNDING
    row, total = take(row, above), total[above]
    other = first["other"][np.searchsorted(first["at"], row["at"])]
    yield findings(
        facts, row, "dose_sum", severity=by_excess(total / row["max_daily"]), value=total, limit=row["max_daily"],
        other_table="drug_exposure", other_id=other,
    )  # fmt: skip


def underdose(lookup: Lookup) -> Iterator[Columns]:
    """The daily dose is below what is useful.

    Silent where other active lines of the substance may make up the dose, and where the kidney asks for less.
    """
    at, orders, lines = lookup.lines("minimum_daily_dose")
    if not len(at):
        return
    applies = of_that_age(orders, lines) & of_that_route(orders, lines) & (orders["unit"] == lines["unit"])
    low = applies & (orders["daily"] * ROUNDING < lines["min_daily"])
    low &= ~np.isin(at, lookup.same_substance[0]) & ~(orders["clearance"] < lookup.kidneys_matter_below[at])
    rows = kept(low, at=at, line=lines["line"], value=orders["daily"], limit=lines["min_daily"])
    rows = first_each(rows, "at", by="limit")
    ratio = rows["value"] / rows["limit"]
    severity = np.select([ratio < 0.2, ratio < 0.6], ["high", "moderate"], "low").astype(object)
    yield findings(lookup.facts, rows, "underdose", severity=severity, value=rows["value"], limit=rows["limit"])
