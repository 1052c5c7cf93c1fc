"""The model's declaration (``config.yaml``), typed."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, Field

PACKAGE = Path(__file__).parent


class Analyte(BaseModel, extra="forbid", frozen=True):
    """How an analysis is recognised, and how long a result still speaks of the patient."""

    concept_ids: tuple[int, ...]
    name: str = Field(description="regular expression on the concept's name, lower case")
    not_name: str = Field("", alias="not", description="names that match and are something else")
    max_age_days: int
    trend: bool = Field(False, description="whether its lowest and highest value of the last days are kept")

    def says(self, name: str) -> bool:
        """Whether a concept's name, lower case, is that of the analysis."""
        return bool(re.search(self.name, name)) and not (self.not_name and re.search(self.not_name, name))


class LearnedConfig(BaseModel, extra="forbid", frozen=True):
    """How it is learned what is usual and what is corrected."""

    folds: int = Field(ge=2)
    min_patients: int = Field(ge=1)


class SplitConfig(BaseModel, extra="forbid", frozen=True):
    """Shares of the orders, by time."""

    calibration_share: float
    test_share: float


class LearnerConfig(BaseModel, extra="forbid", frozen=True):
    """Parameters of the tree ensemble."""

    learning_rate: float
    num_leaves: int
    min_child_samples: int
    lambda_l2: float
    feature_fraction: float
    max_trees: int
    min_trees: int
    patience: int


class Config(BaseModel, extra="forbid", frozen=True):
    """Everything that shapes the model but the data and the seed."""

    model: str
    version: str
    contract: str
    timezone: str
    alerts_per_100_orders: float = Field(gt=0, lt=100)
    patients_first_per_100: float = Field(gt=0, lt=100)
    valid_hours: int
    judged_within_hours: float = Field(ge=0)
    views: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[str, ...]]
    analytes: dict[str, Analyte]
    trend_days: int = Field(ge=1)
    learned: LearnedConfig
    split: SplitConfig
    calibration: Literal["auto", "platt", "isotonic"]
    bootstrap: int = Field(ge=0)
    learner: LearnerConfig

    @property
    def budget(self) -> float:
        """Alerts per order, a share of 1."""
        return self.alerts_per_100_orders / 100


@lru_cache
def load_config(path: Path = PACKAGE / "config.yaml") -> Config:
    """The declaration in a YAML file (default: the one that ships)."""
    return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
