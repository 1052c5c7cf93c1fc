"""Membership of a class that depends on the order: its route, its dose, the patient's age (``membership.csv``)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from models.prescription_review.interactions.conditions import Test
from models.prescription_review.interactions.thesaurus import plain_end
from models.prescription_review.interactions.words import plain

PATIENT_FACTS = ("age", "heart_failure")
_DAILY = {"mg": "day", "UI": "units a day"}


class Membership:
    """Alternatives of tests by class and substance; most memberships hold for every order."""

    def __init__(self, rows: Iterable[dict[str, str]]) -> None:
        self._tests: dict[tuple[str, str], list[tuple[Test, ...]]] = {}
        for row in rows:
            key = plain_end(row["class"]), plain(row["substance"])
            self._tests.setdefault(key, []).append(_tests(row))

    def alternatives(self, term: str, substance: str) -> list[tuple[Test, ...]]:
        """Ways in which an order of a substance belongs to a class; each a list of tests, all to be met."""
        of_all, own = self._tests.get((term, ""), []), self._tests.get((term, substance), [])
        found = [tuple(_of(test, substance) for test in tests) for tests in (*own, *of_all)]
        return found or [()]


def _of(test: Test, substance: str) -> Test:
    return test if test.kind in PATIENT_FACTS else Test(test.kind, substance, test.low, test.high, test.routes)


def _tests(row: dict[str, str]) -> tuple[Test, ...]:
    low = float(row["at_least"]) if row["at_least"] else -math.inf
    high = float(row["below"]) if row["below"] else math.inf
    tests = [Test("route", routes=tuple(row["routes"].split()))] if row["routes"] else []
    kind = _DAILY[row["unit"]] if row["fact"] == "day" else row["fact"]
    return (*tests, *([Test(kind, "", low, high)] if kind else []))
