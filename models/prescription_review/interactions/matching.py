"""Interactions of orders that ran together: pairs, the level that applies to each, and what is known of its condition.

One idea: whether two drugs can interact is compiled once for each pair of drugs (``options.py``); the rest is done for
all pairs of orders at once, so it is as quick for one draft as for a hospital.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, pairs, stacked, take
from models.prescription_review.interactions.options import KINDS, MOST_TESTS, PATIENT, Catalogue
from models.prescription_review.interactions.routes import ORDER

MET, UNKNOWN, NOT_MET = 1, 0, -1
PAIRS_AT_ONCE = 2_000_000
DAYS_A_WEEK = 7
_FIELDS = ("entry", "reading", "rank", "conditional")


@dataclass(frozen=True)
class Orders:
    """Every order of some patients, with what conditions look at.

    Columns: ``person`` (number), ``begin``, ``end``, ``now`` (when it is judged; instants), ``drug`` (number of
    ``Catalogue``), ``route`` (place in ``routes.ORDER``), ``dose``, ``daily``, ``unit``, ``local``,
    ``not_absorbed`` (by mouth).
    """

    columns: Columns
    asked: Rows  # positions of the orders asked about
    facts: (
        Columns  # of the orders asked about: age, clearance, potassium, weight; ulcer, heart_failure, liver as 1 or NaN
    )


def matches(catalogue: Catalogue, orders: Orders) -> Columns:
    """Each order asked about with each other that is active then or ran beside it, and each entry that speaks of both.

    Returns:
        Columns ``at`` (which order asked about), ``there`` (position of the other), ``entry``, ``reading``, ``rank``
        (of the level that applies), ``state`` (``MET``, ``UNKNOWN``), ``conditional``, ``higher`` (rank of the highest
        level of the entry that does not apply here, 0 for none) and ``higher_state``.
    """
    parts = [_chosen(catalogue, orders, at, there) for at, there in _beside(catalogue, orders)]
    return stacked(parts) if parts else _chosen(catalogue, orders, *np.zeros((2, 0), dtype=np.int64))


def _beside(catalogue: Catalogue, orders: Orders) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of an order and another that has not ended before it, whose drugs can interact; some at a time."""
    columns = orders.columns
    if not len(columns["drug"]):
        return
    distinct, drug = np.unique(columns["drug"], return_inverse=True)
    terms = [catalogue.terms[one] for one in distinct.tolist()]
    has, meets = np.stack([one.has for one in terms]), np.stack([one.meets for one in terms])
    person, lively = columns["person"], np.any(has, axis=1)[drug]
    there = np.flatnonzero(lively & (columns["end"] > columns["begin"]))
    asked = np.flatnonzero(lively[orders.asked])
    count = np.bincount(person[there], minlength=person.max(initial=-1) + 1)[person[orders.asked[asked]]]
    for some in _slices(asked, count):
        i, j = pairs(person[orders.asked[some]], person[there])
        one, two = orders.asked[some[i]], there[j]
        beside = (one != two) & (columns["begin"][two] <= columns["now"][one])
        beside &= columns["end"][two] > columns["begin"][one]
        at, one, two = some[i[beside]], one[beside], two[beside]
        pair, which = np.unique(drug[one] * len(has) + drug[two], return_inverse=True)
        possible = (meets[pair // len(has)] & has[pair % len(has)]).any(axis=1)
        keep = possible[which]
        yield at[keep], two[keep]


def _slices(asked: Rows, count: Rows) -> Iterator[Rows]:
    """Orders asked about, as many at a time as have ``PAIRS_AT_ONCE`` pairs."""
    part = np.cumsum(count) // PAIRS_AT_ONCE
    yield from np.split(asked, np.flatnonzero(np.diff(part)) + 1) if len(asked) else []


def _chosen(catalogue: Catalogue, orders: Orders, at: Rows, there: Rows) -> Columns:
    """Of each pair and entry the level that applies."""
    rows = _options(catalogue, orders, at, there)
    state = _states(catalogue, orders, rows)
    met, unknown, conditional = state == MET, state == UNKNOWN, rows["conditional"] == 1
    # A condition that is met says more than a level without one; else the lowest level that is not ruled out: never the
    # highest of an entry because its condition is not known.
    preference = np.select(
        [met & conditional, met, unknown], [30 + rows["rank"], 25 - rows["rank"], 15 - rows["rank"]], 0
    )
    order = np.lexsort((rows["reading"], -preference, rows["entry"], rows["pair"]))
    rows, state, preference = take(rows, order), state[order], preference[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(rows["pair"]) != 0) | (np.diff(rows["entry"]) != 0)
    group, best = np.cumsum(first) - 1, np.flatnonzero(first)
    found = take(rows, best) | {"state": state[best]}
    found |= _higher(group, rows["rank"], state, found["rank"])
    found = take(found, preference[best] > 0)
    pair = found.pop("pair")
    return {"at": at[pair], "there": there[pair], **found}


def _higher(group: Rows, rank: Rows, state: Rows, chosen: Rows) -> Columns:
    """The highest level above the one that applies, and whether its condition is refuted or not known."""
    above = rank > chosen[group]
    highest = np.zeros(len(chosen), dtype=np.int64)
    np.maximum.at(highest, group[above], rank[above])
    known = np.full(len(chosen), NOT_MET, dtype=np.int64)
    top = above & (rank == highest[group])
    np.maximum.at(known, group[top], np.minimum(state[top], UNKNOWN))
    return {"higher": highest, "higher_state": known}


def _options(catalogue: Catalogue, orders: Orders, at: Rows, there: Rows) -> Columns:
    """Each pair of orders with each option of its drugs: ``pair``, the fields and the numbers of the tests."""
    drug = orders.columns["drug"]
    key = drug[orders.asked[at]] * (len(catalogue.terms) + 1) + drug[there]
    which, distinct = pd.factorize(key)
    options = [catalogue.options(*divmod(int(one), len(catalogue.terms) + 1)) for one in distinct]
    table = np.array([row for rows in options for row in rows], dtype=np.int64).reshape(-1, len(_FIELDS) + MOST_TESTS)
    first = np.cumsum([0, *map(len, options)])
    count = np.diff(first)[which] if len(which) else np.empty(0, np.int64)
    inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    row = table[np.repeat(first[which], count) + inside] if len(which) else table[:0]
    pair = np.repeat(np.arange(len(at)), count)
    columns = {name: row[:, place] for place, name in enumerate(_FIELDS)}
    return {"pair": pair, "at": at[pair], "there": there[pair], **columns, "tests": row[:, len(_FIELDS) :]}


def _states(catalogue: Catalogue, orders: Orders, rows: Columns) -> Rows:
    """The worst state of the tests of each row: one that is not met rules the row out."""
    kinds, whose, low, high, routes = catalogue.tests
    worst = np.full(len(rows["pair"]), MET, dtype=np.int64)
    for column in rows["tests"].T:
        row = np.flatnonzero(column)
        test = column[row]
        for kind, side in sorted(set(zip(kinds[test].tolist(), whose[test].tolist(), strict=True))):
            here = row[(kinds[test] == kind) & (whose[test] == side)]
            number = column[here]
            position = orders.asked[rows["at"][here]] if side == 0 else rows["there"][here]
            if KINDS[int(kind)] == "route":
                state = _given_by(orders.columns["route"][position], routes[number].astype(np.int64))
            else:
                value = _value(orders, KINDS[int(kind)], rows["at"][here] if side == PATIENT else position)
                inside = (value >= low[number]) & (value < high[number])
                state = np.where(np.isnan(value), UNKNOWN, np.where(inside, MET, NOT_MET))
            worst[here] = np.minimum(worst[here], state)
    return worst


def _given_by(route: Rows, allowed: Rows) -> Rows:
    return np.where(route == ORDER.index(""), UNKNOWN, np.where((allowed >> route) & 1, MET, NOT_MET))


def _value(orders: Orders, kind: str, position: Rows) -> NDArray[np.float64]:
    """The tested values; NaN where it is not known."""
    if kind == "unrecorded":
        return np.full(len(position), np.nan)
    if kind in orders.facts:
        return orders.facts[kind][position]
    columns = orders.columns
    value = columns["dose" if kind == "dose" else "daily"][position]
    unit = "UI" if kind == "units a day" else "mg"
    value = np.where(columns["unit"][position] == unit, value, np.nan)
    return value * DAYS_A_WEEK if kind == "week" else value
