"""Rules that are a table of conditions: STOPP (to be stopped after 65), and treatments that are missing (START)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, Taken
from models.prescription_review.findings import ROUNDING, findings, kept, of_that_age
from models.prescription_review.lookup import Lookup, beside
from models.prescription_review.orders import KEY

SETTLED_HOURS = 24  # before, the orders of an admission are still being written


def stopp(lookup: Lookup) -> Iterator[Columns]:
    """A medicine that is potentially inappropriate in older people (STOPP), with the conditions of its criterion."""
    yield _met(lookup, "stopp", "stopp")


def untreated(lookup: Lookup) -> Iterator[Columns]:
    """A treatment that goes with another one, or with a disease, is missing (START, and at any age).

    With a medicine as trigger the finding stands at its order. A disease has none: the finding stands at the newest
    order of the patient, once the stay has lasted a day.
    """
    yield _met(lookup, "start", "untreated")


@dataclass(frozen=True)
class _Candidates:
    """Orders asked about, and a line of the table of each."""

    lookup: Lookup
    table: str
    at: Rows
    line: Rows

    def only(self, met: NDArray[np.bool_]) -> _Candidates:
        return _Candidates(self.lookup, self.table, self.at[met], self.line[met])

    @property
    def lines(self) -> Taken:
        return Taken(self.lookup.knowledge.by_code[self.table].columns, self.line)

    @property
    def orders(self) -> Taken:
        return Taken(self.lookup.facts, self.at)

    def with_drug(self, column: str) -> tuple[NDArray[np.bool_], Rows]:
        """Whether another active order is one that the line names in a column; and which, the first of them (or -1)."""
        table = self.lookup.knowledge.by_code[f"{self.table}.{column}"]
        there = table.of(self.lookup.all_drugs)
        wanted = np.isin(there[1], self.line)
        there = there[0][wanted], there[1][wanted]
        rows = beside(self.lookup, (self.lookup.asked[self.at], self.line), there, np.arange(len(table.columns["line"])))
        return self._first(rows["at"], rows["line_at"], rows["other"])

    def itself(self, column: str) -> NDArray[np.bool_]:
        """Whether the order is itself one that the line names in a column."""
        table = self.lookup.knowledge.by_code[f"{self.table}.{column}"]
        at, line = table.of(self.lookup.drugs)
        span = len(table.columns["line"])
        return np.isin(self.at * span + self.line, at * span + line)

    def with_disease(self, column: str) -> tuple[NDArray[np.bool_], Rows]:
        """Whether a known diagnosis is one that the line names in a column; and which, the newest of them (or -1)."""
        ill = self.lookup.diagnosed(self.at, self.line, f"{self.table}.{column}")
        found = np.full(len(self.at), -1)
        found[ill["row"]] = ill["id"]
        has = np.zeros(len(self.at), dtype=bool)
        has[ill["row"]] = True
        return has, found

    def _first(self, at: Rows, line: Rows, other: Rows) -> tuple[NDArray[np.bool_], Rows]:
        span = len(self.lookup.knowledge.by_code[self.table].columns["line"])
        order = np.lexsort((other, at * span + line))
        key, first = np.unique((at * span + line)[order], return_index=True)
        mine = self.at * span + self.line
        place = np.minimum(np.searchsorted(key, mine), max(len(key) - 1, 0))
        has = key[place] == mine if len(key) else np.zeros(len(mine), dtype=bool)
        return has, np.where(has, other[order][first[place]], -1) if len(key) else np.full(len(mine), -1)


def _met(lookup: Lookup, table: str, rule: str) -> Columns:
    """The lines of a table of which every condition is met; an empty cell is no condition."""
    some = _candidates(lookup, table)
    if not len(some.at):
        return findings(lookup.facts, {"at": some.at}, rule)
    some = some.only(_of_this_patient(some))
    lines = some.lines
    ill, disease = some.with_disease("icd10")
    some = some.only(ill | (lines["icd10"] == ""))
    disease = disease[ill | (lines["icd10"] == "")]
    others = {}
    for column, wanted in (("with_atc", True), ("unless_atc", False), ("unless_icd10", False)):
        has, which = some.with_disease(column) if column.endswith("icd10") else some.with_drug(column)
        if column == "unless_atc":
            has |= some.itself(column)
        holds = (has | (some.lines[column] == "")) if wanted else ~has
        others = {name: ids[holds] for name, ids in {**others, column: which}.items()}
        some, disease = some.only(holds), disease[holds]
    return _findings(some, rule, others["with_atc"], disease)


def _candidates(lookup: Lookup, table: str) -> _Candidates:
    """By substance; and, for the lines that name none, the newest order of each patient."""
    lines = lookup.knowledge.by_code[table]
    at, line = lines.of(lookup.drugs)
    of_disease = np.flatnonzero(lines.columns["atc"] == "")
    hours = lookup.facts["hours_in_stay"]
    newest = np.flatnonzero(lookup.is_newest & ~(hours < SETTLED_HOURS)) if len(of_disease) else of_disease
    at = np.concatenate([at, np.repeat(newest, len(of_disease))])
    return _Candidates(lookup, table, at, np.concatenate([line, np.tile(of_disease, len(newest))]))


def _of_this_patient(some: _Candidates) -> NDArray[np.bool_]:
    """Age, duration of the treatment, dose, and a laboratory value or the kidney function."""
    lines, orders, lookup = some.lines, some.orders, some.lookup
    met = of_that_age(orders, lines) | (np.isnan(lines["age_from"]) & np.isnan(lines["age_below"]))
    met &= np.isnan(lines["days_from"]) | (lookup.treated_hours[some.at] >= 24 * lines["days_from"])
    above = (orders["unit"] == lines["unit"]) & (orders["daily"] > lines["daily_above"] * ROUNDING)
    met &= np.isnan(lines["daily_above"]) | above
    for analyte in sorted(set(lines["analyte"]) - {""}):
        value, limit = orders[analyte], lines["limit"]
        wrong = np.where(lines["side"] == "above", value > limit, value < limit)
        met &= (lines["analyte"] != analyte) | wrong
    return met


def _findings(some: _Candidates, rule: str, drug: Rows, disease: Rows) -> Columns:
    """With the row that each rests on: the other medicine, else the diagnosis, else the laboratory result."""
    lines, orders = some.lines, some.orders
    value, result = np.full(len(some.at), np.nan), np.full(len(some.at), -1)
    for analyte in sorted(set(lines["analyte"]) - {""}):
        of_it = lines["analyte"] == analyte
        value = np.where(of_it, orders[analyte], value)
        result = np.where(of_it, orders["creatinine_id" if analyte == "clearance" else f"{analyte}_id"], result)
    ids = [drug, disease, result]
    tables = ["drug_exposure", "condition_occurrence", "measurement"]
    table = np.select([one >= 0 for one in ids], tables, "").astype(object)
    rows = kept(
        np.ones(len(some.at), dtype=bool), at=some.at, line=lines["line"], severity=lines["severity"], value=value,
        limit=lines["limit"], table=table, other=np.select([one >= 0 for one in ids], ids, -1),
        detail=_names(some.lookup, np.where(drug >= 0, drug, -1)),
    )  # fmt: skip
    return findings(
        some.lookup.facts, rows, rule, severity=rows["severity"], value=rows["value"], limit=rows["limit"],
        other_table=rows["table"], other_id=rows["other"], detail=rows["detail"],
    )  # fmt: skip


def _names(lookup: Lookup, orders: Rows) -> NDArray[np.object_]:
    """The names of some orders by their ids; "" for -1."""
    key = lookup.orders[KEY]
    by_id = np.argsort(key, kind="stable")
    place = by_id[np.minimum(np.searchsorted(key[by_id], orders), len(key) - 1)]
    return np.where(orders >= 0, lookup.orders["drug_name"][place], "").astype(object)
