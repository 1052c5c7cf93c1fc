"""Rules that are a table of conditions: STOPP (to be stopped after 65), and treatments that are missing (START)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, Taken, found_at, picked
from models.prescription_review.findings import NO_ROW, NONE, ROUNDING, findings, first_each, named, of_that_age
from models.prescription_review.knowledge import Lines
from models.prescription_review.lookup import Lookup, beside
from models.prescription_review.orders import KEY

SETTLED_HOURS = 24  # before, the orders of an admission are still being written


def stopp(lookup: Lookup) -> Iterator[Columns]:
    """A medicine that is potentially inappropriate in older people (STOPP), with the conditions of its criterion."""
    yield _met(lookup, "stopp", "stopp")


def untreated(lookup: Lookup) -> Iterator[Columns]:
    """A treatment that goes with another one, or with a disease, is missing (START, and at any age).

    With a medicine as trigger the finding stands at its order. A disease has none: the finding stands at the newest
    order of the patient, once the stay has lasted a day; where no stay is known, nothing is said.
    """
    yield _met(lookup, "start", "untreated")


@dataclass(frozen=True)
class _Candidates:
    """Orders asked about with a line of the table of each, and the rows that make the line speak so far."""

    lookup: Lookup
    table: str
    at: Rows
    line: Rows
    drug: Rows  # the other medicine, a position; -1: none is asked for (an id may be negative: that of a draft)
    disease: Rows  # the diagnosis, a position

    def only(self, met: NDArray[np.bool_]) -> _Candidates:
        rows = np.flatnonzero(met)
        columns = (self.at[rows], self.line[rows], self.drug[rows], self.disease[rows])
        return _Candidates(self.lookup, self.table, *columns)

    @property
    def own(self) -> Lines:
        return self.lookup.knowledge.by_code[self.table]

    @property
    def lines(self) -> Taken:
        return Taken(self.own.columns, self.line)

    @property
    def orders(self) -> Taken:
        return Taken(self.lookup.facts, self.at)

    def empty(self, column: str) -> NDArray[np.bool_]:
        """Whether the line says nothing in a column."""
        return self.own.saying(column, "")[self.line]

    def with_drug(self, column: str) -> Rows:
        """Another active order that the line names in a column (position), the first of them by id; -1: none."""
        table = self.lookup.knowledge.by_code[f"{self.table}.{column}"]
        there, line = table.of(self.lookup.all_drugs)
        wanted = np.isin(line, self.line)
        here = (self.lookup.asked[self.at], self.line)
        rows = beside(self.lookup, here, (there[wanted], line[wanted]), np.arange(len(table.columns["line"])))
        first = first_each(
            {"key": self._key(rows["at"], rows["line_at"]), **named(rows, "other", "there")}, "key", by="other"
        )
        place, there_is = found_at(first["key"], self._key(self.at, self.line))
        return picked(first["there"], np.where(there_is, place, NO_ROW), NO_ROW)

    def itself(self, column: str) -> NDArray[np.bool_]:
        """Whether the order is itself one that the line names in a column."""
        at, line = self.lookup.knowledge.by_code[f"{self.table}.{column}"].of(self.lookup.drugs)
        return np.isin(self._key(self.at, self.line), self._key(at, line))

    def with_disease(self, column: str) -> Rows:
        """A known diagnosis that the line names in a column (position), the newest of them; -1: none."""
        ill = self.lookup.diagnosed(self.at, self.line, f"{self.table}.{column}")
        found = np.full(len(self.at), NO_ROW)
        found[ill["row"]] = ill["coded"]
        return found

    def _key(self, at: Rows, line: Rows) -> Rows:
        return at * len(self.own.columns["line"]) + line


def _met(lookup: Lookup, table: str, rule: str) -> Columns:
    """The lines of a table of which every condition is met; an empty cell is no condition."""
    some = _candidates(lookup, table)
    if not len(some.at):
        return NONE
    some = some.only(_of_this_patient(some))
    for column in ("icd10", "with_atc", "unless_icd10", "unless_atc"):
        silent = some.empty(column)
        if silent.all():
            continue
        found = some.with_disease(column) if column.endswith("icd10") else some.with_drug(column)
        if column.startswith("unless"):
            there = found >= 0 if column.endswith("icd10") else (found >= 0) | some.itself(column)
            some = some.only(~there)
        else:
            some = replace(some, disease=found) if column == "icd10" else replace(some, drug=found)
            some = some.only(silent | (found >= 0))
    return _findings(some, rule)


def _candidates(lookup: Lookup, table: str) -> _Candidates:
    """By substance; and, for the lines that name none, the newest order of each patient."""
    lines = lookup.knowledge.by_code[table]
    at, line = lines.of(lookup.drugs)
    of_none = lines.saying("atc", "")
    if of_none.any():
        newest = np.flatnonzero(lookup.is_newest & (lookup.facts["hours_in_stay"] >= SETTLED_HOURS))
        ill, of_disease = lookup.diagnosed_with(newest, f"{table}.icd10")
        chosen = of_none[of_disease]
        of_result = np.flatnonzero(of_none & lines.saying("icd10", ""))
        at = np.concatenate([at, ill[chosen], np.repeat(newest, len(of_result))])
        line = np.concatenate([line, of_disease[chosen], np.tile(of_result, len(newest))])
    nothing = np.full(len(at), NO_ROW)
    return _Candidates(lookup, table, at, line, nothing, nothing)


def _of_this_patient(some: _Candidates) -> NDArray[np.bool_]:
    """Age, duration of the treatment, dose, and a laboratory value or the kidney function."""
    lines, orders, lookup = some.lines, some.orders, some.lookup
    met = of_that_age(orders, lines) | (np.isnan(lines["age_from"]) & np.isnan(lines["age_below"]))
    met &= np.isnan(lines["days_from"]) | (lookup.treated_hours[some.at] >= 24 * lines["days_from"])
    dosed = np.flatnonzero(~np.isnan(lines["daily_above"]))
    above = (orders["unit"][dosed] == lines["unit"][dosed]) & (
        orders["daily"][dosed] > lines["daily_above"][dosed] * ROUNDING
    )
    met[dosed] &= above
    for analyte, said in some.own.naming("analyte").items():
        here = np.flatnonzero(said[some.line]) if analyte else dosed[:0]
        if len(here):
            value, limit = lookup.facts[analyte][some.at[here]], lines["limit"][here]
            side = some.own.saying("side", "above")[some.line[here]]
            met[here] &= np.where(side, value > limit, value < limit)
    return met


def _findings(some: _Candidates, rule: str) -> Columns:
    """With the row that each rests on: the other medicine, else the diagnosis, else the laboratory result."""
    if not len(some.at):
        return NONE
    lines, orders = some.lines, some.orders
    value, result = np.full(len(some.at), np.nan), np.full(len(some.at), NO_ROW)
    for analyte, said in some.own.naming("analyte").items():
        here = said[some.line]
        if analyte and here.any():
            value = np.where(here, orders[analyte], value)
            result = np.where(here, orders["creatinine_id" if analyte == "clearance" else f"{analyte}_id"], result)
    there = [some.drug >= 0, some.disease >= 0, result >= 0]
    ids = [picked(some.lookup.orders[KEY], some.drug, NO_ROW)]
    ids += [picked(some.lookup.diagnoses["condition_occurrence_id"], some.disease, NO_ROW), result]
    tables = np.select(there, ["drug_exposure", "condition_occurrence", "measurement"], "")
    return findings(
        some.lookup.facts, {"at": some.at, "line": lines["line"]}, rule, severity=lines["severity"], value=value,
        limit=lines["limit"], other_table=tables.astype(object), other_id=np.select(there, ids, NO_ROW),
        detail=picked(some.lookup.orders["drug_name"], some.drug, ""),
    )  # fmt: skip
