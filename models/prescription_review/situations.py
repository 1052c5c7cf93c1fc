"""What an order stands beside when it is judged: other drugs, diseases, the patient's state, what the rules found.

One table for two questions: how seldom such things go together here (``associations``), and how often a pharmacist
objected to the same before (``objections``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, codes, joined, pairs, stacked, take
from models.prescription_review.findings import NO_ROW
from models.prescription_review.lookup import Lookup
from models.prescription_review.orders import active_pairs

OTHER_DRUG, SAME_GROUP, ILLNESS = "other_drug", "same_group", "illness"
GROUP = len("A00")  # level 2 of the ATC: two drugs of one group are told apart from two of different ones
CATEGORY = len("I48")  # of ICD-10
AGE = "age_and_sex"
FILTRATIONS = (15, 30, 45, 60)  # mL/min/1.73 m², stages of KDIGO 2012; from the last on no dose is reduced
# State of a patient → what tells it, and where one ends and the next begins (mL/min, mmol/L, g/dL, years).
BANDS = {
    "kidneys": ("clearance", (15, 20, 25, 30, 35, 45, 60)),
    "filtration": ("filtration", FILTRATIONS),
    "potassium_level": ("potassium", (3.5, 5.0, 5.5)),
    "haemoglobin_level": ("haemoglobin", (7, 8, 9, 10, 12)),
    AGE: ("age", (18, 45, 65, 80)),
}
BESIDE = (OTHER_DRUG, SAME_GROUP, ILLNESS, *BANDS)
SEXES = {1.0: "F", 0.0: "M"}
MANY_PAIRS = 4_000_000  # of orders of one patient, at a time: a long history has many


def situations(lookup: Lookup, facts: Columns, found: Columns) -> Columns:
    """One row for each thing beside an order; each once.

    Args:
        facts: the orders asked about with their patients; ``found``: what the rules found on them.
    Returns:
        ``at`` (position in ``facts``), ``kind`` (one of ``BESIDE``, or a rule), and what it is, told twice:
        ``coarse`` (the drug; of a finding, its line) and ``fine`` (the drug beside that thing); ``what`` is the thing.
    """
    parts = [*_other_drugs(lookup), _illnesses(lookup, facts), *_states(facts)]
    beside = stacked(parts)
    drug = facts["drug"][beside["at"]]
    beside["coarse"] = joined(beside["kind"], drug)
    beside["fine"] = joined(beside["coarse"], beside["what"])
    return stacked([beside, _findings(lookup, facts, found)])


def only(beside: Columns, orders: NDArray[np.bool_]) -> Columns:
    """The situations of some of the orders."""
    kept = take(beside, orders[beside["at"]])
    return kept | {"at": (np.cumsum(orders) - 1)[kept["at"]]}


def strongest(beside: Columns, kind: str, weight: NDArray[np.float64], number: int) -> NDArray[np.object_]:
    """Of each order the thing of a kind with the greatest weight; "" where there is none. Shape (number,)."""
    rows = np.flatnonzero(beside["kind"] == kind)
    rows = rows[np.lexsort((beside["what"][rows].astype(str), -weight[rows], beside["at"][rows]))]
    at, first = np.unique(beside["at"][rows], return_index=True)
    found = np.full(number, "", dtype=object)
    found[at] = beside["what"][rows[first]]
    return found


def _rows(at: Rows, kind: str, what: NDArray[np.object_]) -> Columns:
    """Each thing once an order."""
    _, first = np.unique(codes(at, what), return_index=True)
    return {"at": at[first], "kind": np.full(len(first), kind, dtype=object), "what": what[first]}


def _other_drugs(lookup: Lookup) -> Iterator[Columns]:
    """The other drugs that are active, those of the same group apart."""
    orders, asked = lookup.orders, lookup.asked
    person, _ = lookup.people
    drug = orders["drug"]
    group = np.array([code[:GROUP] for code in orders["atc"]], dtype=object)
    every = np.arange(len(person))
    for block in _blocks(person, asked):
        i, there = active_pairs(orders, asked[block], person[asked[block]], every, person)
        here = block[i]
        other = drug[asked[here]] != drug[there]
        same = other & (group[asked[here]] == group[there]) & (group[there] != "")
        yield _rows(here[other & ~same], OTHER_DRUG, drug[there[other & ~same]])
        yield _rows(here[same], SAME_GROUP, drug[there[same]])


def _blocks(person: Rows, asked: Rows) -> list[Rows]:
    """Positions of orders asked about, so many at a time as have not too many pairs."""
    number = np.cumsum(np.bincount(person)[person[asked]]) // MANY_PAIRS
    return np.split(np.arange(len(asked)), np.flatnonzero(np.diff(number)) + 1)


def _illnesses(lookup: Lookup, facts: Columns) -> Columns:
    """The categories of ICD-10 that were coded by then."""
    person, ill = lookup.people
    i, j = pairs(person[lookup.asked], ill)
    known = lookup.diagnoses["available_at"][j] <= facts["index_time"][i]
    category = np.array([code[:CATEGORY] for code in lookup.diagnoses["code"]], dtype=object)
    return _rows(i[known], ILLNESS, category[j[known]])


def _states(facts: Columns) -> Iterator[Columns]:
    """What is not known is no state. Each is named after its kind: the third band of two kinds is not one thing."""
    sex = np.array([SEXES.get(female, "") for female in facts["female"].tolist()], dtype=object)
    for kind, (column, edges) in BANDS.items():
        at = np.flatnonzero(~np.isnan(facts[column]))
        band = np.digitize(facts[column][at], edges).astype(str).astype(object)
        named = np.full(len(at), kind, dtype=object)
        yield _rows(at, kind, joined(named, sex[at], band) if kind == AGE else joined(named, band))


def _findings(lookup: Lookup, facts: Columns, found: Columns) -> Columns:
    """What the rules found: the line and how grave it is here; of two orders also which was written first."""
    at, other = lookup.places(found)
    there, written = other != NO_ROW, lookup.orders["written_at"]
    after = written[lookup.asked[at]] >= written[other]
    place = np.where(there, np.where(after, "after", "before"), "").astype(object)
    what = np.where(there, lookup.orders["drug"][other], "").astype(object)
    rows = {"at": at, "kind": found["rule"], "what": what}
    rows["coarse"] = joined(found["rule"], found["severity"], place, found["line"])
    rows["fine"] = joined(rows["coarse"], facts["drug"][at], what)
    _, first = np.unique(codes(at, rows["fine"]), return_index=True)
    return take(rows, first)
