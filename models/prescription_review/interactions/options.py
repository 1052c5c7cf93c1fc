"""What the thesaurus may say of two drugs, before anything is known of the patient: compiled once for each pair."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.interactions.conditions import Reading, Test, readings
from models.prescription_review.interactions.membership import Membership
from models.prescription_review.interactions.routes import ORDER
from models.prescription_review.interactions.substances import Drug, Substance, Substances, edition_of, rows_of
from models.prescription_review.interactions.thesaurus import Entry, read_thesaurus

ALWAYS = 0  # the test that is always met
MOST_TESTS = 5
PATIENT = 2  # whose the tested value is: the first order's (0), the second's (1), or the patient's
KINDS = ("", "dose", "day", "week", "units a day", "route", "unrecorded", "age", "clearance", "potassium", "weight",
         "ulcer", "heart_failure", "liver")  # fmt: skip
OF_ORDER = frozenset(KINDS[1:6])

# entry, reading, rank, conditional, tests…: one way in which a level can apply
Option = tuple[int, ...]


@dataclass(frozen=True)
class Terms:
    """A drug with the ends of entries that it is, and those that interact with it, as bits."""

    drug: Drug
    has: NDArray[np.uint64]
    meets: NDArray[np.uint64]


class Catalogue:
    """One edition, ready to be asked about pairs of drugs.

    Args:
        folder: the JSON files of the edition, its own tables of substances, or both.
    """

    def __init__(self, folder: Path) -> None:
        self.thesaurus = read_thesaurus(edition_of(folder))
        self.substances = Substances(folder, self.thesaurus)
        self._membership = Membership(rows_of(folder, "membership.csv"))
        self._drugs: dict[str, int] = {}
        self.terms: list[Terms] = []
        self._options: dict[tuple[int, int], list[Option]] = {}
        self._readings: dict[int, tuple[Reading, ...]] = {}
        self._tests: dict[tuple[str, int, float, float, int], int] = {("", PATIENT, -math.inf, math.inf, 0): ALWAYS}

    def number(self, atc: str, name: str) -> int:
        """A number for the drug of an order; equal numbers have the same substances."""
        key = atc if self.substances.known_code(atc) else f"{atc}\t{name}"
        found = self._drugs.get(key)
        if found is None:
            found = self._drugs[key] = len(self.terms)
            self.terms.append(self._terms(self.substances.of(atc, name)))
        return found

    def options(self, first: int, second: int) -> list[Option]:
        """Every way in which an entry can speak of two drugs; each entry once, whichever way round it is written."""
        found = self._options.get((first, second))
        if found is None:
            found = self._options[first, second] = list(dict.fromkeys(self._compiled(first, second)))
        return found

    def readings(self, entry: int) -> tuple[Reading, ...]:
        """The levels of an entry with their conditions; read when first needed."""
        found = self._readings.get(entry)
        if found is None:
            found = self._readings[entry] = readings(self.thesaurus.all_entries[entry], self.thesaurus)
        return found

    @cached_property
    def entries(self) -> dict[int, Entry]:
        """The entries by number; a mirrored one under the first only."""
        return {entry.number: entry for entry in self.thesaurus.entries}

    @property
    def tests(self) -> tuple[NDArray[np.float64], ...]:
        """The distinct tests, shape (tests,): kind (place in ``KINDS``), whose, low, high, routes as bits."""
        rows = [(KINDS.index(kind), *rest) for kind, *rest in self._tests]
        return tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))

    @cached_property
    def _of_end(self) -> dict[str, list[tuple[int, str]]]:
        """End → (entry, the other end)."""
        found: dict[str, list[tuple[int, str]]] = {}
        for entry in self.thesaurus.entries:
            found.setdefault(entry.main, []).append((entry.number, entry.plus))
            found.setdefault(entry.plus, []).append((entry.number, entry.main))
        return found

    @cached_property
    def _bit(self) -> dict[str, int]:
        return {end: number for number, end in enumerate(self._of_end)}

    def _terms(self, drug: Drug) -> Terms:
        ends = {term for substance in drug.substances for term in substance.terms if term in self._of_end}
        return Terms(drug, self._bits(ends), self._bits({other for end in ends for _, other in self._of_end[end]}))

    def _bits(self, ends: set[str]) -> NDArray[np.uint64]:
        flags = np.zeros(64 * math.ceil(len(self._bit) / 64), dtype=bool)
        flags[[self._bit[end] for end in ends]] = True
        return np.packbits(flags).view(np.uint64)

    def _compiled(self, first: int, second: int) -> Iterator[Option]:
        for one, other in product(self.terms[first].drug.substances, self.terms[second].drug.substances):
            if one.name != other.name:  # "AUTRES …" and every other entry speak of two different substances
                yield from self._of_substances(one, other)

    def _of_substances(self, one: Substance, other: Substance) -> Iterator[Option]:
        theirs = set(other.terms)
        for term in one.terms:
            for number, end in self._of_end.get(term, ()):
                if end in theirs:
                    yield from self._of_entry(number, (one.name, term), (other.name, end))

    def _of_entry(self, number: int, one: tuple[str, str], other: tuple[str, str]) -> Iterator[Option]:
        """Args: a substance and the end of the entry that it stands for, of each drug."""
        members = [self._membership.alternatives(term, name) for name, term in (one, other)]
        for place, reading in enumerate(self.readings(number)):
            for clause in reading.clauses:
                if not clause.concerns(one[0], other[0]):
                    continue
                for mine, theirs in product(*members):
                    tests = [
                        *((test, PATIENT) for test in clause.tests),
                        *((t, 0) for t in mine),
                        *((t, 1) for t in theirs),
                    ]
                    numbers = sorted({self._test(test, side, (one[0], other[0])) for test, side in tests} - {ALWAYS})
                    row = numbers + [ALWAYS] * (MOST_TESTS - len(numbers))
                    yield (number, place, reading.level, int(clause.conditional), *row[:MOST_TESTS])

    def _test(self, test: Test, side: int, names: tuple[str, str]) -> int:
        if test.kind not in OF_ORDER:
            side = PATIENT
        elif side == PATIENT:  # a clause names the substance; where neither is it, the test says nothing
            if test.of not in names:
                return ALWAYS
            side = names.index(test.of)
        bits = sum(1 << ORDER.index(route) for route in test.routes)
        key = (test.kind, side, test.low, test.high, bits)
        return self._tests.setdefault(key, len(self._tests))
