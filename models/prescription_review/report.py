"""What training and evaluation give back, for the command line and the HTML report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Report:
    """Plain values only: ``as_dict`` is JSON. Plots are SVG text by name."""

    action: Literal["train", "evaluate"]
    model: str
    model_version: str
    run_id: str
    model_sha256: str
    knowledge_sha256: str
    view_contract: str
    snapshot_id: str
    rows: dict[str, int]
    evaluation: dict[str, Any]
    alerts: dict[str, Any]
    by_problem: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, plots included."""
        return asdict(self)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)


TrainReport = Report
EvaluationReport = Report
