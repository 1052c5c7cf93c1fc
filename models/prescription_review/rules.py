"""The rules of prescription review: pure functions from orders and knowledge tables to findings.

A finding is one row: which order, which rule, which knowledge line, how severe, the value that met the limit, and
the other row that it rests on. Whether a finding deserves an alert is the model's question, not the rules'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, codes, pairs, stacked, take
from models.prescription_review.knowledge import Coded, Knowledge
from models.prescription_review.orders import KEY, active_pairs

# Rule -> category of the finding (HL7 v3-ActCode, value set detectedissue-category).
CATEGORIES = {
    "dose": "DOSEH",
    "dose_sum": "DOSEH",
    "renal": "LAB",
    "lab": "LAB",
    "duplicate": "DUPTHPY",
    "contraindication": "COND",
    "age": "AGE",
    "interaction": "DRG",
}
SEVERITY_RANK = {"low": 1, "moderate": 2, "high": 3}
COLUMNS = [KEY, "rule", "line", "severity", "value", "limit", "other_table", "other_id", "detail", "note"]
_KINDS: dict[str, Any] = dict.fromkeys(COLUMNS, object) | {
    KEY: np.int64, "other_id": np.int64, "value": np.float64, "limit": np.float64,
}  # fmt: skip
_NONE: Columns = {name: np.empty(0, dtype=kind) for name, kind in _KINDS.items()}
NO_ROW = -1
ROUNDING = 1 + 1e-9  # 3 x 0.1 is not above 0.3
FULL_CODE = len("A00AA00")


@dataclass(frozen=True)
class Lookup:
    """The orders that are asked about, with what is known of their patients, and every order beside them."""

    orders: Columns  # every order of these patients
    asked: Rows  # positions in ``orders``
    facts: Columns  # of the orders asked about: the columns of ``orders``, and the patient
    diagnoses: Columns
    knowledge: Knowledge

    def lines(self, table: str) -> tuple[Rows, Columns, Columns]:
        """Orders asked about (position, facts) with each line of a knowledge table that concerns their substance."""
        known = self.knowledge.by_code[table]
        at, line = known.of(self.drugs)
        return at, take(self.facts, at), take(known.columns, line)

    @cached_property
    def drugs(self) -> Coded:
        """The ATC codes of the orders asked about."""
        return Coded.of(self.facts["atc"])

    @cached_property
    def all_drugs(self) -> Coded:
        """The ATC codes of every order."""
        return Coded.of(self.orders["atc"])

    @cached_property
    def number(self) -> Rows:
        """Which of the orders asked about each order is; -1: none."""
        found = np.full(len(self.orders[KEY]), NO_ROW)
        found[self.asked] = np.arange(len(self.asked))
        return found

    @cached_property
    def people(self) -> tuple[Rows, Rows]:
        """A small number for the person of each order, and of each diagnosis."""
        found = codes(np.concatenate([self.orders["person_id"], self.diagnoses["person_id"]]))
        return found[: len(self.orders[KEY])], found[len(self.orders[KEY]) :]

    @cached_property
    def maximum(self) -> Columns:
        """Daily dose over the maximum of the line that applies (route, age, unit); one row per order that has one.

        Columns: ``at`` (position), ``ratio``, ``line``, ``max_daily``.
        """
        at, orders, lines = self.lines("maximum_daily_dose")
        applies = _of_that_age(orders, lines) & ((lines["route"] == "any") | (lines["route"] == orders["route"]))
        applies &= orders["unit"] == lines["unit"]
        columns = {"at": at, "ratio": orders["daily"] / lines["max_daily"], **_named(lines, "line", "max_daily")}
        return _first_each(take(columns, applies), "at", by="max_daily")

    @cached_property
    def same_substance(self) -> tuple[Rows, Rows]:
        """Orders asked about with the other active orders of the same full ATC code: positions, and in ``orders``."""
        full = np.array([len(code) == FULL_CODE for code in self.orders["atc"]], dtype=bool)
        key = codes(self.orders["person_id"], self.orders["atc"])
        here, there = np.flatnonzero(full[self.asked]), np.flatnonzero(full)
        one = self.asked[here]
        i, j = active_pairs(self.orders, one, key[one], there, key[there])
        return here[i], there[j]


def find_all(lookup: Lookup) -> Columns:
    """Every finding of every rule (``COLUMNS``), the most severe first within an order."""
    parts = [part for rule in _RULES for part in rule(lookup)]
    found = stacked([part for part in parts if len(part[KEY])] or parts[:1])
    rank = np.array([SEVERITY_RANK[severity] for severity in found["severity"]], dtype=np.int64)
    alphabet = [np.unique(found[name].astype(str), return_inverse=True)[1] for name in ("line", "rule")]
    order = np.lexsort((found["other_id"], *alphabet, -rank, found[KEY]))
    return take(found, order)


def dose_above_maximum(lookup: Lookup) -> Iterator[Columns]:
    """The daily dose of the line is above the maximum of the product information."""
    rows = take(lookup.maximum, lookup.maximum["ratio"] > ROUNDING)
    daily = lookup.facts["daily"][rows["at"]]
    yield _findings(lookup, rows, "dose", severity=_by_excess(rows["ratio"]), value=daily, limit=rows["max_daily"])


def dose_sum_above_maximum(lookup: Lookup) -> Iterator[Columns]:
    """Several active lines of one substance are together above a maximum that this line alone respects."""
    here, there = lookup.same_substance
    others, facts = take(lookup.orders, there), lookup.facts
    alike = (others["unit"] == facts["unit"][here]) & (others["route"] == facts["route"][here])
    here, others = here[alike], take(others, alike)
    number = len(facts[KEY])
    beside = np.bincount(here, np.nan_to_num(others["daily"]), number)
    first = _first_each({"at": here, "other": others[KEY]}, "at", by="other")
    row = lookup.maximum
    row = take(row, np.isin(row["at"], first["at"]) & ~(row["ratio"] > ROUNDING))
    total = facts["daily"][row["at"]] + beside[row["at"]]
    above = total / row["max_daily"] > ROUNDING
    row, total = take(row, above), total[above]
    other = first["other"][np.searchsorted(first["at"], row["at"])]
    yield _findings(
        lookup, row, "dose_sum", severity=_by_excess(total / row["max_daily"]), value=total, limit=row["max_daily"],
        other_table="drug_exposure", other_id=other,
    )  # fmt: skip


def renal(lookup: Lookup) -> Iterator[Columns]:
    """Contra-indicated, too high or too often at this kidney function."""
    at, orders, lines = lookup.lines("renal_limits")
    clearance = orders["clearance"]
    applies = (clearance >= lines["clearance_from"]) & (clearance < lines["clearance_below"])
    too_much = (orders["unit"] == lines["unit"]) & (orders["daily"] > lines["max_daily"] * ROUNDING)
    too_often = orders["per_day"] > lines["max_per_day"] * ROUNDING
    met = applies & ((lines["action"] == "contraindicated") | too_much | too_often)
    rows = take({"at": at, **lines, "value": clearance, "other": orders["creatinine_id"]}, met)
    yield _findings(
        lookup, rows, "renal", severity=rows["severity"], value=rows["value"], limit=rows["clearance_below"],
        other_table="measurement", other_id=rows["other"],
    )  # fmt: skip


def laboratory(lookup: Lookup) -> Iterator[Columns]:
    """A recent potassium or INR on the wrong side of a limit."""
    at, orders, lines = lookup.lines("lab_limits")
    for analyte in sorted(set(lines["analyte"])):
        value, limit = orders[analyte], lines["limit"]
        wrong = np.where(lines["side"] == "above", value > limit, value < limit) & (lines["analyte"] == analyte)
        rows = take({"at": at, **lines, "value": value, "other": orders[f"{analyte}_id"]}, wrong)
        yield _findings(
            lookup, rows, "lab", severity=rows["severity"], value=rows["value"], limit=rows["limit"],
            other_table="measurement", other_id=rows["other"],
        )  # fmt: skip


def age(lookup: Lookup) -> Iterator[Columns]:
    """The patient's age is one at which the substance is contra-indicated or potentially inappropriate."""
    at, orders, lines = lookup.lines("age_limits")
    limit = np.where(np.nan_to_num(lines["age_from"]) == 0, lines["age_below"], lines["age_from"])
    rows = take({"at": at, **lines, "age": orders["age"], "met": limit}, _of_that_age(orders, lines))
    yield _findings(lookup, rows, "age", severity=rows["severity"], value=rows["age"], limit=rows["met"])


def contraindication(lookup: Lookup) -> Iterator[Columns]:
    """A diagnosis already coded when the order was written (an earlier stay) speaks against the substance.

    ICD-10 only: the tables hold no code that an ICD-9 code could begin with.
    """
    table, orders = lookup.knowledge.by_code["contraindications"], lookup.facts
    at, line = table.of(lookup.drugs)
    ill, ill_line = lookup.knowledge.by_code["contraindications.icd10"].of(Coded.of(lookup.diagnoses["code"]))
    person, person_ill = lookup.people
    span = len(table.columns["line"])
    i, j = pairs(person[lookup.asked[at]] * span + line, person_ill[ill] * span + ill_line)
    coded = take(lookup.diagnoses, ill[j])
    pair = {"at": at[i], "line_at": line[i], "other": coded["condition_occurrence_id"], "then": coded["available_at"]}
    rows = take(pair, pair["then"] <= orders["index_time"][at[i]])
    newest = np.lexsort((rows["other"], rows["then"]))[::-1]
    rows = _first_each(take(rows, newest) | {"age": np.arange(len(newest))}, "at", "line_at", by="age")
    lines = take(table.columns, rows["line_at"])
    yield _findings(
        lookup, rows | _named(lines, "line"), "contraindication", severity=lines["severity"],
        other_table="condition_occurrence", other_id=rows["other"], detail=lines["condition"],
    )  # fmt: skip


def duplicate(lookup: Lookup) -> Iterator[Columns]:
    """The same substance, or another of the same class, is already active."""
    orders, table = lookup.orders, lookup.knowledge.by_code["duplicate_classes"]
    row, line = table.of(lookup.all_drugs)
    kind = table.columns["kind"][line]
    ignored = np.isin(np.arange(len(orders[KEY])), row[kind == "ignore"])

    here, there = lookup.same_substance
    same = {"at": here, "other": orders[KEY][there], "detail": orders["drug_name"][there]}
    rows = _first_each(take(same, ~ignored[there]), "at", by="other")
    rows["line"] = np.full(len(rows["at"]), "SUBSTANCE", dtype=object)
    yield _findings(
        lookup, rows, "duplicate", severity="moderate", other_table="drug_exposure", other_id=rows["other"],
        detail=rows["detail"],
    )  # fmt: skip

    member = (kind == "class") & ~ignored[row]
    row, line = row[member], line[member]
    _, of_class = np.unique(table.columns["class"], return_inverse=True)
    rows = _beside(lookup, (row, line), (row, line), of_class)
    rows = take(rows, orders["atc"][lookup.asked[rows["at"]]] != orders["atc"][rows["there"]])
    yield _with_order(lookup, "duplicate", rows, table.columns)


def interaction(lookup: Lookup) -> Iterator[Columns]:
    """An active order interacts with this one, at the level of the ANSM thesaurus that applies here.

    ``note`` says whether its condition is met and by which rule it does not interrupt (``Interactions.note_words``).
    """
    person, ill = lookup.people
    rows = lookup.knowledge.interactions.findings(
        lookup.orders, lookup.asked, person, lookup.facts, lookup.diagnoses, ill
    )
    yield _findings(
        lookup, rows, "interaction", severity=rows["severity"], other_table="drug_exposure", note=rows["note"],
        other_id=lookup.orders[KEY][rows["there"]], detail=lookup.orders["drug_name"][rows["there"]],
    )  # fmt: skip


def _beside(lookup: Lookup, here: tuple[Rows, Rows], there: tuple[Rows, Rows], group: Rows) -> Columns:
    """Orders asked about with other active orders of the patient, where their lines are of one group.

    Args:
        here, there: positions of orders, and of a line of each.
        group: number of each line.
    """
    person, _ = lookup.people
    number = lookup.number[here[0]]
    row, line, number = here[0][number >= 0], here[1][number >= 0], number[number >= 0]
    key, other_key = person[row] * len(group) + group[line], person[there[0]] * len(group) + group[there[1]]
    i, j = active_pairs(lookup.orders, row, key, there[0], other_key)
    return {"at": number[i], "line_at": line[i], "there": there[0][j], "other": lookup.orders[KEY][there[0][j]]}


def _with_order(lookup: Lookup, rule: str, rows: Columns, lines: Columns) -> Columns:
    """One finding an order and line: with the first of the other orders."""
    rows = _first_each(rows, "at", "line_at", by="other")
    line = take(lines, rows["line_at"])
    return _findings(
        lookup, rows | _named(line, "line"), rule, severity=line["severity"], other_table="drug_exposure",
        other_id=rows["other"], detail=lookup.orders["drug_name"][rows["there"]],
    )  # fmt: skip


def _named(lines: Columns, *names: str) -> Columns:
    return {name: lines[name] for name in names}


def _of_that_age(orders: Columns, lines: Columns) -> NDArray[np.bool_]:
    """Whether the patient's age lies within the line's; a missing age lies nowhere."""
    low, below = lines["age_from"], lines["age_below"]
    found: NDArray[np.bool_] = (orders["age"] >= np.nan_to_num(low)) & ~(orders["age"] >= below)
    return found


def _by_excess(ratio: NDArray[np.float64]) -> NDArray[Any]:
    """Up to a quarter above the maximum is often meant; twice is rarely so."""
    words = np.select([ratio >= 2 / ROUNDING, ratio > 1.25 * ROUNDING], ["high", "moderate"], "low")
    return words.astype(object)


def _findings(lookup: Lookup, rows: Columns, rule: str, **columns: Any) -> Columns:
    """Rows of ``COLUMNS``; ``rows`` have ``at`` (which order asked about) and ``line``."""
    number = len(rows["at"])
    if not number:
        return _NONE
    nothing = {"value": np.nan, "limit": np.nan, "other_table": "", "other_id": NO_ROW, "detail": "", "note": ""}
    given = {KEY: lookup.facts[KEY][rows["at"]], "rule": rule, "line": rows["line"], **nothing, **columns}
    return {name: np.array(np.broadcast_to(given[name], number), dtype=kind) for name, kind in _KINDS.items()}


def _first_each(rows: Columns, *key: str, by: str) -> Columns:
    """Of the rows with an equal key the one with the smallest ``by``; sorted by key."""
    rows = take(rows, np.lexsort([rows[name] for name in (by, *reversed(key))]))
    return take(rows, _changes(rows, key))


def _changes(rows: Columns, key: tuple[str, ...]) -> NDArray[np.bool_]:
    """Where the key differs from that of the row before."""
    differs = np.ones(len(rows[key[0]]), dtype=bool)
    differs[1:] = np.any([rows[name][1:] != rows[name][:-1] for name in key], axis=0)
    return differs


_RULES = (
    dose_above_maximum,
    dose_sum_above_maximum,
    renal,
    laboratory,
    age,
    contraindication,
    duplicate,
    interaction,
)
