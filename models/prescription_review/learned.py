"""What a hospital's orders and reviews teach beside the learner: usual doses, what goes together, what is corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.associations import PAIRED, Associations
from models.prescription_review.columns import Columns
from models.prescription_review.dose_reference import DoseReference
from models.prescription_review.features import Cases
from models.prescription_review.objections import Objections
from models.prescription_review.situations import ILLNESS, OTHER_DRUG, SAME_GROUP, strongest
from models.splits import person_folds

Array = NDArray[np.float64]
DOSES, ASSOCIATIONS, OBJECTIONS = "usual_doses.csv", "associations.csv", "objections.csv"


@dataclass(frozen=True)
class Learned:
    """Three tables of counts, none of fewer patients than a setting says."""

    doses: DoseReference
    associations: Associations
    objections: Objections

    @classmethod
    def learn(cls, cases: Cases, label: Array, min_patients: int) -> Learned:
        """Args: orders, reviewed or not; ``label``: 1, 0 or NaN (not reviewed), shape (orders,)."""
        return cls(
            DoseReference.learn(cases.rows, min_patients),
            Associations.learn(cases.rows, cases.beside, min_patients),
            Objections.learn(cases.rows, cases.beside, label, min_patients),
        )

    def with_usage_of(self, cases: Cases, min_patients: int) -> Learned:
        """The same, with the usage of another hospital, from where it is seen; its reviews are not needed."""
        return replace(
            self,
            doses=self.doses.beside(DoseReference.learn(cases.rows, min_patients)),
            associations=self.associations.plus(Associations.learn(cases.rows, cases.beside, min_patients)),
        )

    def with_objections_of(self, cases: Cases, label: Array, min_patients: int) -> Learned:
        """The same, with the reviews of another hospital beside those known. Arguments as `learn`."""
        there = Objections.learn(cases.rows, cases.beside, label, min_patients)
        return replace(self, objections=self.objections.plus(there))

    def compare(self, cases: Cases) -> Columns:
        """The features that rest on it, of orders that taught it nothing."""
        return {
            **self.doses.compare(cases.rows),
            **self.associations.compare(cases.rows, cases.beside),
            **self.objections.compare(cases.rows, cases.beside),
        }

    def named(self, cases: Cases) -> Columns:
        """Feature → the other drug or the disease that its value is about; "" where there is none."""
        beside, number = cases.beside, len(cases.rows["drug"])
        named = (OTHER_DRUG, SAME_GROUP, ILLNESS)
        rare, objected = -self.associations.bits(cases.rows, beside), self.objections.rates(beside)
        return {
            f"{name}_{kind}": strongest(beside, kind, weight, number)
            for name, weight, kinds in (("rare", rare, (*named, *PAIRED)), ("objected", objected, named))
            for kind in kinds
        }

    def write(self, folder: Path) -> None:
        """Write the tables into an existing folder."""
        self.doses.write(folder / DOSES)
        self.associations.write(folder / ASSOCIATIONS)
        self.objections.write(folder / OBJECTIONS)

    @classmethod
    def read(cls, folder: Path) -> Learned:
        """The inverse of :meth:`write`."""
        return cls(
            DoseReference.read(folder / DOSES),
            Associations.read(folder / ASSOCIATIONS),
            Objections.read(folder / OBJECTIONS),
        )


def cross_compare(cases: Cases, label: Array, *, folds: int, min_patients: int, seed: int) -> Columns:
    """Each order against what the patients of the other folds teach: an order must not be its own reference."""
    fold = person_folds(cases.rows["person_id"], folds, seed)
    found: Columns = {}
    for number in np.unique(fold).tolist():
        here, others = fold == number, fold != number
        taught = Learned.learn(cases.only(others), label[others], min_patients)
        for name, column in taught.compare(cases.only(here)).items():
            found.setdefault(name, np.full(len(fold), np.nan))[here] = column
    return found
