"""How seldom a drug stands beside another one, a disease or a state of the patient: learned from orders, not reviews.

Source: the information component of pharmacovigilance (Norén, Stat Methods Med Res 2013;22:57): the logarithm of how
often two things were seen together over how often they would be if one had nothing to do with the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, factorized
from models.prescription_review.situations import BESIDE

SHRINK = 0.5  # added to both counts: what was expected once and never seen says little
PAIRED = ("duplicate", "interaction")  # rules whose findings name another drug: how seldom those two go together
UNTOLD = 1.0  # patients taken where there were too few to be kept
RARE = tuple(f"rare_{kind}" for kind in (*BESIDE, *PAIRED))


@dataclass(frozen=True)
class Associations:
    """Patients with each drug, with each thing beside a drug, and with both: columns drug, what, patients.

    A row without ``what`` counts the patients with the drug. One without a drug sums those of all drugs.
    """

    counts: pd.DataFrame

    @classmethod
    def learn(cls, orders: Columns, beside: Columns, min_patients: int) -> Associations:
        """Args: columns person_id and drug; ``beside``: their situations; ``min_patients``: below, no row is kept."""
        of_drugs = pd.DataFrame({"person": orders["person_id"], "drug": orders["drug"], "what": ""})
        there = np.isin(beside["kind"], BESIDE)
        at = beside["at"][there]
        both = pd.DataFrame(
            {"person": orders["person_id"][at], "drug": orders["drug"][at], "what": beside["what"][there]}
        )
        rows = pd.concat([of_drugs, both], ignore_index=True).drop_duplicates()
        pairs = rows.groupby(["drug", "what"], as_index=False).size().rename(columns={"size": "patients"})
        things = pairs.groupby("what", as_index=False)["patients"].sum().assign(drug="")
        counts = pd.concat([things, pairs], ignore_index=True)[["drug", "what", "patients"]]
        kept = counts[counts["patients"] >= min_patients]
        return cls(kept.sort_values(["drug", "what"], ignore_index=True))

    def plus(self, other: Associations) -> Associations:
        """The patients of both."""
        both = pd.concat([self.counts, other.counts], ignore_index=True)
        return type(self)(both.groupby(["drug", "what"], as_index=False)[["patients"]].sum())

    def write(self, path: Path) -> None:
        """Write the counts as CSV."""
        self.counts.to_csv(path, index=False, lineterminator="\n")

    @classmethod
    def read(cls, path: Path) -> Associations:
        """The inverse of :meth:`write`."""
        return cls(pd.read_csv(path, dtype={"drug": str, "what": str}, keep_default_na=False))

    def compare(self, orders: Columns, beside: Columns) -> Columns:
        """``RARE``: of each kind of thing beside an order, and of the drugs that a rule names, the rarest; in bits.

        0: as expected; -3: eight times rarer.
        NaN where there is nothing of the kind. Shape (orders,) each.
        """
        bits, number = self.bits(orders, beside), len(orders["drug"])
        found = {}
        for kind, name in zip((*BESIDE, *PAIRED), RARE, strict=True):
            rows = np.flatnonzero(beside["kind"] == kind)
            least = np.full(number, np.inf)
            np.minimum.at(least, beside["at"][rows], bits[rows])
            found[name] = np.where(np.isfinite(least), least, np.nan)
        return found

    def bits(self, orders: Columns, beside: Columns) -> NDArray[np.float64]:
        """Of each situation, shape (situations,); NaN for findings of rules that name no other drug."""
        named = np.isin(beside["kind"], PAIRED) & (beside["what"] != "")
        there = np.flatnonzero(np.isin(beside["kind"], BESIDE) | named)
        found = np.full(len(beside["at"]), np.nan)
        drug, what = orders["drug"][beside["at"][there]], beside["what"][there]
        number, values = factorized(beside["fine"][there])
        first = np.zeros(len(values), dtype=np.int64)
        first[number[::-1]] = np.arange(len(number))[::-1]
        seen = self._patients
        of_all = seen.get(("", ""), 1)
        bits = np.empty(len(values))
        for position, (one, other) in enumerate(zip(drug[first], what[first], strict=True)):
            expected = seen.get((one, ""), 0) * seen.get(("", other), 0) / of_all
            bits[position] = np.log2((seen.get((one, other), UNTOLD) + SHRINK) / (expected + SHRINK))
        found[there] = bits[number]
        return found

    @cached_property
    def _patients(self) -> dict[tuple[str, str], int]:
        return dict(
            zip(zip(self.counts["drug"], self.counts["what"], strict=True), self.counts["patients"], strict=True)
        )
