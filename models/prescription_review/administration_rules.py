"""Rules on how a medicine is given: by which route, in which form, in which rhythm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, Taken, picked
from models.prescription_review.findings import NO_ROW, ROUNDING, findings, kept
from models.prescription_review.knowledge import Coded, Lines
from models.prescription_review.lookup import Lookup
from models.prescription_review.orders import KEY, active_pairs

SWITCH_HOURS = 48  # a medicine that is as well absorbed by mouth needs no vein for longer
BY_MOUTH = ("oral", "tube")
GROUPS = {"parenteral": ("iv", "im", "sc", "parenteral")}  # what is written as injectable may be any of them


def route(lookup: Lookup) -> Iterator[Columns]:
    """A route that is forbidden or does not exist, a form that must not be crushed, a vein that is no longer needed."""
    at, orders, lines = lookup.lines("administration")
    if not len(at):
        return
    table, written = lookup.knowledge.by_code["administration"], orders["route_detail"]
    forbidden, only, crush, switch = (
        table.saying("kind", kind)[lines.rows] for kind in ("forbidden", "only", "crush", "switch")
    )
    here, known = _named(table, written, lines), (written != "") & (written != "other")
    met = known & ((forbidden & here) | (only & ~here) | (crush & (written == "tube"))) & _of_form(lookup, at, lines)
    switch &= known & here
    beside = np.full(len(at), NO_ROW)
    if switch.any():
        long = np.flatnonzero(switch & (lookup.treated_hours[at] >= SWITCH_HOURS))
        beside[long] = _eats(lookup)[at[long]]
    rows = kept(met | (beside >= 0), at=at, line=lines["line"], severity=lines["severity"], detail=written,
                other=beside)  # fmt: skip
    yield findings(
        lookup.facts, rows, "route", severity=rows["severity"], detail=rows["detail"],
        other_id=picked(lookup.orders[KEY], rows["other"], NO_ROW),
        other_table=np.where(rows["other"] >= 0, "drug_exposure", ""),
    )  # fmt: skip


def rhythm(lookup: Lookup) -> Iterator[Columns]:
    """Given more often than the substance ever is, by this route and in this dose: a weekly medicine every day."""
    at, orders, lines = lookup.lines("administration")
    often = orders["per_day"] > lines["max_per_day"] * ROUNDING  # no other kind of line has a number there
    if not often.any():
        return
    at, lines = at[often], Taken(lookup.knowledge.by_code["administration"].columns, lines.rows[often])
    orders, table = Taken(lookup.facts, at), lookup.knowledge.by_code["administration"]
    met = table.saying("routes", "")[lines.rows] | _named(table, orders["route_detail"], lines)
    strong = (orders["unit"] == lines["unit"]) & (orders["dose"] * ROUNDING >= lines["dose_from"])
    met &= (strong | np.isnan(lines["dose_from"])) & _of_form(lookup, at, lines)
    rows = kept(met, at=at, line=lines["line"], severity=lines["severity"], value=orders["per_day"],
                limit=lines["max_per_day"])  # fmt: skip
    yield findings(lookup.facts, rows, "rhythm", severity=rows["severity"], value=rows["value"], limit=rows["limit"])


def _named(table: Lines, written: NDArray[np.object_], lines: Taken) -> NDArray[np.bool_]:
    """Whether each line names the order's route; an injectable one without more is named with any of its kinds."""
    found = np.zeros(len(written), dtype=bool)
    for one in set(written.tolist()):
        here = written == one
        for name in GROUPS.get(one, (one,)):
            found[here] |= table.saying("routes", name)[lines.rows[here]]
    return found


def _of_form(lookup: Lookup, at: Rows, lines: Taken) -> NDArray[np.bool_]:
    """Whether the product is written as the line wants; true where it wants nothing."""
    labels = lookup.knowledge.product_labels
    found = labels.saying("label", "")[lines.rows]
    if not found.all():
        row, line = labels.of(Coded.of(lookup.facts["label"]))
        span = len(labels.columns["line"])
        found |= np.isin(at * span + lines.rows, row * span + line)
    return found


def _eats(lookup: Lookup) -> Rows:
    """For each order asked about another active order by mouth (position), the first by id; -1: none."""
    orders, person = lookup.orders, lookup.people[0]
    oral = np.flatnonzero(np.isin(orders["route_detail"], BY_MOUTH))
    i, j = active_pairs(orders, lookup.asked, person[lookup.asked], oral, person[oral])
    found = np.full(len(lookup.asked), NO_ROW)
    order = np.lexsort((-orders[KEY][oral[j]], i))
    found[i[order]] = oral[j][order]
    return found
