"""What a rule may look up: the orders asked about, their patients, and every order and fact beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.allergies import allergies
from models.prescription_review.columns import Columns, Rows, Taken, codes, found_at, last_until, pairs, take
from models.prescription_review.findings import NO_ROW, View, first_each, named, of_that_age
from models.prescription_review.knowledge import FULL_CODE, Coded, Knowledge
from models.prescription_review.known import PERSON
from models.prescription_review.orders import KEY, active_pairs, treated_since

# As `active_pairs` and `ended_pairs`.
Pairs = Callable[[Columns, Rows, Rows, Rows, Rows], tuple[Rows, Rows]]


@dataclass(frozen=True)
class Lookup:
    """The orders that are asked about, with what is known of their patients, and every order beside them."""

    orders: Columns  # every order of these patients
    asked: Rows  # positions in ``orders``
    facts: Columns  # of the orders asked about: the columns of ``orders``, and the patient
    diagnoses: Columns
    knowledge: Knowledge
    observations: Columns | None = None  # allergies and pregnancies; None: nothing is known of any
    feeds: Mapping[str, np.datetime64] = field(default_factory=dict)  # analysis -> the hospital's first result

    def lines(self, table: str) -> tuple[Rows, Taken, Taken]:
        """Orders asked about (position, facts) with each line of a knowledge table that concerns their substance."""
        known = self.knowledge.by_code[table]
        at, line = known.of(self.drugs)
        return at, Taken(self.facts, at), Taken(known.columns, line)

    @cached_property
    def drugs(self) -> Coded:
        """The ATC codes of the orders asked about."""
        return Coded.of(self.facts["atc"])

    @cached_property
    def all_drugs(self) -> Coded:
        """The ATC codes of every order."""
        return Coded.of(self.orders["atc"])

    @cached_property
    def illnesses(self) -> Coded:
        """The ICD-10 codes of every diagnosis."""
        return Coded.of(self.diagnoses["code"])

    @cached_property
    def number(self) -> Rows:
        """Which of the orders asked about each order is; -1: none."""
        found = np.full(len(self.orders[KEY]), NO_ROW)
        found[self.asked] = np.arange(len(self.asked))
        return found

    @cached_property
    def people(self) -> tuple[Rows, Rows]:
        """A small number for the person of each order, and of each diagnosis."""
        found = codes(np.concatenate([self.orders[PERSON], self.diagnoses[PERSON]]))
        return found[: len(self.orders[KEY])], found[len(self.orders[KEY]) :]

    @cached_property
    def since(self) -> NDArray[Any]:
        """When the treatment began that each order asked about goes on with: the same substance, by any route."""
        person, _ = self.people
        return treated_since(self.orders, codes(person, self.orders["drug"]))[self.asked]

    @cached_property
    def treated_hours(self) -> NDArray[np.float64]:
        """How long the treatment had lasted when each order asked about is judged."""
        found: NDArray[np.float64] = (self.facts["index_time"] - self.since) / np.timedelta64(1, "h")
        return found

    @cached_property
    def is_newest(self) -> NDArray[np.bool_]:
        """Whether an order asked about is its patient's newest when it is judged: what no order has is said there."""
        real = np.flatnonzero(self.orders["end_time"] > self.orders["written_at"])
        person, asked = self.orders[PERSON], self.asked
        last = last_until(person[real], self.orders["written_at"][real], person[asked], self.facts["index_time"])
        return (last >= 0) & (real[last] == asked) if len(real) else np.zeros(len(asked), dtype=bool)

    @cached_property
    def maximum(self) -> Columns:
        """Daily dose over the maximum that applies (route, age, weight, unit); one row per order that has one.

        Columns: ``at`` (position), ``ratio``, ``line``, ``max_daily`` (of this patient, where it is per kilogram).
        """
        at, orders, lines = self.lines("maximum_daily_dose")
        weight, per_kg = orders["weight"], lines["max_daily_per_kg"] * orders["weight"]
        applies = of_that_age(orders, lines) & of_that_route(orders, lines) & (orders["unit"] == lines["unit"])
        for column, inside in (
            ("weight_from", weight >= lines["weight_from"]),
            ("weight_below", weight < lines["weight_below"]),
        ):
            applies &= inside | np.isnan(lines[column])
        limit = np.fmin(lines["max_daily"], per_kg)
        columns = {"at": at, "ratio": orders["daily"] / limit, **named(lines, "line"), "max_daily": limit}
        return first_each(take(columns, applies & ~np.isnan(limit)), "at", by="max_daily")

    @cached_property
    def kidneys_matter_below(self) -> NDArray[np.float64]:
        """Clearance below which a line speaks of each order asked about, the highest one; NaN where none does."""
        at, orders, lines = self.lines("renal_limits")
        found = np.full(len(self.asked), np.nan)
        if len(at):
            of_route = of_that_route(orders, lines)
            np.fmax.at(found, at[of_route], lines["clearance_below"][of_route])
        return found

    @cached_property
    def same_substance(self) -> tuple[Rows, Rows]:
        """Orders asked about with the other active orders of the same full ATC code: positions, and in ``orders``."""
        full = np.array([len(code) == FULL_CODE for code in self.orders["atc"]], dtype=bool)
        key = codes(self.orders[PERSON], self.orders["atc"])
        here, there = np.flatnonzero(full[self.asked]), np.flatnonzero(full)
        one = self.asked[here]
        i, j = active_pairs(self.orders, one, key[one], there, key[there])
        return here[i], there[j]

    @cached_property
    def allergies(self) -> Columns | None:
        """What is known of allergies; None where nothing is."""
        if self.observations is None:
            return None
        found = allergies(self.observations, self.diagnoses)
        return found if len(found[PERSON]) else None

    def places(self, found: Columns) -> tuple[Rows, Rows]:
        """Of each finding the order that it is about (position in ``facts``), and the other one (in ``orders``; -1)."""
        mine, every = (np.argsort(rows[KEY], kind="stable") for rows in (self.facts, self.orders))
        at, _ = found_at(self.facts[KEY][mine], found[KEY])
        other, there = found_at(self.orders[KEY][every], found["other_id"])
        there &= found["other_table"] == "drug_exposure"
        return mine[at], np.where(there, every[other], NO_ROW)

    def diagnosed_with(self, at: Rows, lines_of: str) -> tuple[Rows, Rows]:
        """Orders asked about (some, by position) with the lines of which a diagnosis is already coded."""
        ill, line = self.knowledge.by_code[lines_of].of(self.illnesses)
        person, person_ill = self.people
        i, j = pairs(person[self.asked[at]], person_ill[ill])
        known = self.diagnoses["available_at"][ill[j]] <= self.facts["index_time"][at[i]]
        found = np.unique(np.column_stack([at[i[known]], line[j[known]]]), axis=0)
        return found[:, 0], found[:, 1]

    def diagnosed(self, at: Rows, line: Rows, lines_of: str) -> Columns:
        """Orders asked about with the diagnoses already coded that a line of each speaks of.

        Args:
            at, line: positions of orders asked about, and a line of each.
            lines_of: the table by ICD-10 code.
        Returns:
            ``row`` (position in ``at``), ``coded`` (position of the diagnosis) and its ``id``; one each, the newest.
        """
        table = self.knowledge.by_code[lines_of]
        ill, ill_line = table.of(self.illnesses)
        person, person_ill = self.people
        wanted = np.isin(ill_line, line)
        ill, ill_line = ill[wanted], ill_line[wanted]
        span = len(table.columns["line"])
        i, j = pairs(person[self.asked[at]] * span + line, person_ill[ill] * span + ill_line)
        coded = ill[j]
        then = self.diagnoses["available_at"][coded]
        known = then <= self.facts["index_time"][at[i]]
        rows = {"row": i, "coded": coded, "id": self.diagnoses["condition_occurrence_id"][coded], "then": then}
        rows = take(rows, known)
        newest = np.lexsort((rows["id"], rows["then"]))[::-1]
        return first_each(take(rows, newest) | {"age": np.arange(len(newest))}, "row", by="age")


def of_that_route(orders: View, lines: View) -> NDArray[np.bool_]:
    """Whether a line speaks of the order's route: of any, of its group, or of itself."""
    route = lines["route"]
    found: NDArray[np.bool_] = (route == "any") | (route == orders["route"]) | (route == orders["route_detail"])
    return found


def beside(
    lookup: Lookup, here: tuple[Rows, Rows], there: tuple[Rows, Rows], group: Rows, which: Pairs = active_pairs
) -> Columns:
    """Orders asked about with other orders of the patient, where their lines are of one group.

    Args:
        here, there: positions of orders, and of a line of each.
        group: number of each line.
        which: those that are active, or those that have ended.
    """
    person, _ = lookup.people
    number = lookup.number[here[0]]
    row, line, number = here[0][number >= 0], here[1][number >= 0], number[number >= 0]
    key, other_key = person[row] * len(group) + group[line], person[there[0]] * len(group) + group[there[1]]
    i, j = which(lookup.orders, row, key, there[0], other_key)
    return {"at": number[i], "line_at": line[i], "there": there[0][j], "other": lookup.orders[KEY][there[0][j]]}
