"""A trained model as a folder of text files that can be read, compared and hashed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibrator, update_calibrator
from models.prescription_review.columns import Columns
from models.prescription_review.config import Config
from models.prescription_review.features import FEATURES, Cases, Categories, feature_matrix
from models.prescription_review.learned import Learned
from models.prescription_review.learners import Learner
from models.prescription_review.problem import ProblemLearner
from models.prescription_review.triage import Rounds
from models.splits import Cut
from passerelle.errors import ContractError

LEARNER, PROBLEM, MANIFEST = "learner.txt", "problem.txt", "model.json"
FORMAT = 2  # of the manifest


@dataclass(frozen=True)
class Artefact:
    """Everything that turns orders into probabilities."""

    config: Config
    learner: Learner
    problem: ProblemLearner
    learned: Learned
    calibrator: Calibrator
    threshold: float  # on the raw probability: calibration may tie what the learner tells apart
    patients_threshold: float  # on the chance of the patients of a day
    categories: Categories
    cut: Cut
    knowledge_sha256: str
    trees: int
    seed: int

    def features(self, cases: Cases) -> NDArray[np.float64]:
        """The learner's input for orders that were not in its training part."""
        return feature_matrix(cases.rows, self.learned.compare(cases), self.categories)

    def rounds(self, orders: Columns) -> Rounds:
        """The orders that are read together."""
        return Rounds.of(orders, self.config.timezone)

    def raw(self, cases: Cases) -> NDArray[np.float64]:
        """Probability of each order before calibration, shape (orders,)."""
        return self.learner.predict(self.features(cases))

    def with_usage_of(self, cases: Cases) -> Artefact:
        """The same model, told what is usual at another hospital by its orders; no review is needed."""
        return replace(self, learned=self.learned.with_usage_of(cases, self.config.learned.min_patients))

    def with_objections_of(self, cases: Cases, label: NDArray[np.float64]) -> Artefact:
        """The same model, told besides what it knows what the pharmacists of another hospital object to.

        Args:
            label: 1 (intervention), 0 (accepted) or NaN (not reviewed), shape (orders,).
        """
        return replace(self, learned=self.learned.with_objections_of(cases, label, self.config.learned.min_patients))

    def recalibrated(self, cases: Cases, label: NDArray[np.float64]) -> Artefact:
        """The same model with probabilities that mean what they say at another hospital; the ranks of orders stay.

        Args:
            cases: reviewed orders of that hospital that taught it nothing; ``label``: 0 or 1 of each.
        """
        return replace(self, calibrator=update_calibrator(self.calibrator, self.raw(cases), label))

    def within_budget_of(self, cases: Cases) -> Artefact:
        """The same model with the thresholds whose alerts on these orders, reviewed or not, stay within the budget."""
        raw = self.raw(cases)
        chance = self.rounds(cases.rows).chance(self.calibrator.apply(raw))
        return replace(
            self,
            threshold=_lowest_within(raw, self.config.budget),
            patients_threshold=_lowest_within(chance, self.config.patients_first_per_100 / 100),
        )

    def write(self, folder: Path) -> None:
        """Write the model's files into an existing empty folder."""
        (folder / LEARNER).write_text(self.learner.text, encoding="utf-8")
        (folder / PROBLEM).write_text(self.problem.text, encoding="utf-8")
        self.learned.write(folder)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json", by_alias=True),
            "features": list(FEATURES),
            "categories": self.categories,
            "problem_classes": self.problem.classes,
            "calibrator": self.calibrator.as_dict(),
            "threshold": self.threshold,
            "patients_threshold": self.patients_threshold,
            "cut": self.cut.as_dict(),
            "knowledge_sha256": self.knowledge_sha256,
            "trees": self.trees,
            "seed": self.seed,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Artefact:
        """Read a model's folder.

        Raises:
            ContractError: the model is of another form, or of other features, than this program knows.
        """
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest.get("format") != FORMAT or manifest["features"] != list(FEATURES):
            raise ContractError(
                what="the model is of another form, or of other features, than this version of the program knows",
                looked=f"{len(manifest['features'])} features, format {manifest.get('format', 1)} in the model; "
                f"{len(FEATURES)}, {FORMAT} here",
                do="train again: passerelle train prescription_review",
            )
        return cls(
            config=Config.model_validate(manifest["config"]),
            learner=Learner((folder / LEARNER).read_text(encoding="utf-8")),
            problem=ProblemLearner((folder / PROBLEM).read_text(encoding="utf-8"), tuple(manifest["problem_classes"])),
            learned=Learned.read(folder),
            calibrator=Calibrator.from_dict(manifest["calibrator"]),
            threshold=manifest["threshold"],
            patients_threshold=manifest["patients_threshold"],
            categories=manifest["categories"],
            cut=Cut.from_dict(manifest["cut"]),
            knowledge_sha256=manifest["knowledge_sha256"],
            trees=manifest["trees"],
            seed=manifest["seed"],
        )


def _lowest_within(scores: NDArray[np.float64], budget: float) -> float:
    """The lowest score whose alerts stay within a budget, a share of the rows."""
    values, counts = np.unique(scores, return_counts=True)
    above = np.cumsum(counts[::-1])[::-1] / max(len(scores), 1)
    within = values[above <= budget]
    return float(within[0]) if len(within) else 1.0
