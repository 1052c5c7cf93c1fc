"""A trained model as a folder of text files that can be read, compared and hashed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibrator, fit_calibrator
from models.prescription_review.columns import Columns
from models.prescription_review.config import Config
from models.prescription_review.features import FEATURES, Cases, Categories, feature_matrix
from models.prescription_review.learned import Learned
from models.prescription_review.learners import Learner
from models.prescription_review.problem import ProblemLearner
from models.prescription_review.triage import Ranked, rank
from models.splits import Cut
from passerelle.errors import ContractError

LEARNER, PROBLEM, TRIAGE, MANIFEST = "learner.txt", "problem.txt", "triage.txt", "model.json"


@dataclass(frozen=True)
class Artefact:
    """Everything that turns orders into probabilities."""

    config: Config
    learner: Learner
    problem: ProblemLearner
    triage: Learner
    learned: Learned
    calibrator: Calibrator
    triage_calibrator: Calibrator
    threshold: float  # on the raw probability: calibration may tie what the learner tells apart
    triage_threshold: float  # the same, of the patients of a day
    categories: Categories
    cut: Cut
    knowledge_sha256: str
    trees: int
    seed: int

    def features(self, cases: Cases) -> NDArray[np.float64]:
        """The learner's input for orders that were not in its training part."""
        return feature_matrix(cases.rows, self.learned.compare(cases), self.categories)

    def patients(self, orders: Columns, probability: NDArray[np.float64]) -> Ranked:
        """The patients of a day; ``probability``: of each order, calibrated."""
        return rank(self.triage, orders, probability, self.config.timezone)

    def with_usage_of(self, cases: Cases) -> Artefact:
        """The same model beside the usage of another hospital, learned from its orders; no review is needed."""
        return replace(self, learned=self.learned.with_usage_of(cases, self.config.learned.min_patients))

    def recalibrated(self, cases: Cases, label: NDArray[np.float64]) -> Artefact:
        """The same model with probabilities that mean what they say at another hospital; the ranks of orders stay.

        Args:
            cases: reviewed orders of that hospital, none of those whose usage it was given; ``label``: 0 or 1 of each.
        """
        raw = self.learner.predict(self.features(cases))
        found = replace(self, calibrator=fit_calibrator(raw, label, "platt"))
        ranked = found.patients(cases.rows, found.calibrator.apply(raw))
        of_patients = fit_calibrator(ranked.raw, ranked.rounds.highest(label), "platt")
        return replace(found, triage_calibrator=of_patients)

    def write(self, folder: Path) -> None:
        """Write the model's files into an existing empty folder."""
        for name, text in ((LEARNER, self.learner.text), (PROBLEM, self.problem.text), (TRIAGE, self.triage.text)):
            (folder / name).write_text(text, encoding="utf-8")
        self.learned.write(folder)
        manifest: dict[str, Any] = {
            "config": self.config.model_dump(mode="json", by_alias=True),
            "features": list(FEATURES),
            "categories": self.categories,
            "problem_classes": self.problem.classes,
            "calibrator": self.calibrator.as_dict(),
            "triage_calibrator": self.triage_calibrator.as_dict(),
            "threshold": self.threshold,
            "triage_threshold": self.triage_threshold,
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
            ContractError: the model was trained on other features than this program computes.
        """
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["features"] != list(FEATURES):
            raise ContractError(
                what="the model was trained on other features than this version of the program computes",
                looked=f"{len(manifest['features'])} features in the model, {len(FEATURES)} here",
                do="train again: passerelle train prescription_review",
            )
        return cls(
            config=Config.model_validate(manifest["config"]),
            learner=Learner((folder / LEARNER).read_text(encoding="utf-8")),
            problem=ProblemLearner((folder / PROBLEM).read_text(encoding="utf-8"), tuple(manifest["problem_classes"])),
            triage=Learner((folder / TRIAGE).read_text(encoding="utf-8")),
            learned=Learned.read(folder),
            calibrator=Calibrator.from_dict(manifest["calibrator"]),
            triage_calibrator=Calibrator.from_dict(manifest["triage_calibrator"]),
            threshold=manifest["threshold"],
            triage_threshold=manifest["triage_threshold"],
            categories=manifest["categories"],
            cut=Cut.from_dict(manifest["cut"]),
            knowledge_sha256=manifest["knowledge_sha256"],
            trees=manifest["trees"],
            seed=manifest["seed"],
        )
