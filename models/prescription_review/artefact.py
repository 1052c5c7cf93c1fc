"""A trained model as a folder of text files that can be read, compared and hashed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calibration import Calibrator
from models.prescription_review.config import Config
from models.prescription_review.dose_reference import DoseReference
from models.prescription_review.features import FEATURES, Categories, feature_matrix
from models.prescription_review.learners import Learner
from models.splits import Cut
from passerelle.errors import ContractError

LEARNER, REFERENCE, MANIFEST = "learner.txt", "usual_doses.csv", "model.json"


@dataclass(frozen=True)
class Artefact:
    """Everything that turns orders into probabilities."""

    config: Config
    learner: Learner
    reference: DoseReference
    calibrator: Calibrator
    threshold: float  # on the raw probability: calibration may tie what the learner tells apart
    categories: Categories
    cut: Cut
    knowledge_sha256: str
    trees: int
    seed: int

    def features(self, orders: pd.DataFrame) -> NDArray[np.float64]:
        """The learner's input for orders that were not in its training part."""
        return feature_matrix(orders, self.reference.compare(orders), self.categories)

    def write(self, folder: Path) -> None:
        """Write the model's files into an existing empty folder."""
        self.learner.write(folder / LEARNER)
        self.reference.write(folder / REFERENCE)
        manifest: dict[str, Any] = {
            "config": self.config.model_dump(mode="json", by_alias=True),
            "features": list(FEATURES),
            "categories": self.categories,
            "calibrator": self.calibrator.as_dict(),
            "threshold": self.threshold,
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
            learner=Learner.read(folder / LEARNER),
            reference=DoseReference.read(folder / REFERENCE),
            calibrator=Calibrator.from_dict(manifest["calibrator"]),
            threshold=manifest["threshold"],
            categories=manifest["categories"],
            cut=Cut.from_dict(manifest["cut"]),
            knowledge_sha256=manifest["knowledge_sha256"],
            trees=manifest["trees"],
            seed=manifest["seed"],
        )
