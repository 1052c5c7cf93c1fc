"""What training and evaluation give back, for the command line and the HTML report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from models.drift import judged


@dataclass(frozen=True)
class Report:
    """Plain values only: ``as_json`` gives them. Plots are SVG text by name."""

    action: Literal["train", "evaluate", "adapt"]
    model: str
    model_version: str
    run_id: str
    model_sha256: str
    knowledge_sha256: str
    view_contract: str
    snapshot_id: str
    rows: dict[str, int]
    evaluation: dict[str, Any] = field(default_factory=dict)  # empty, like what follows, without reviewed orders
    months: list[dict[str, Any]] = field(default_factory=list)
    alerts: dict[str, Any] = field(default_factory=dict)
    by_problem: list[dict[str, Any]] = field(default_factory=list)
    problem_classes: dict[str, Any] = field(default_factory=dict)
    triage: dict[str, Any] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, plots included."""
        return asdict(self)

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(self.as_json(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        """The figures that a person wants first, with their intervals and the baselines beside them."""
        return "\n".join(
            [
                f"{self.model} {self.model_version}, {self.action}, snapshot {self.snapshot_id}",
                *(self._figures() if self.evaluation else ["no reviewed orders to judge it by, so no figures"]),
                *(f"  {note}" for note in self.notes),
            ]
        )

    def _figures(self) -> list[str]:
        found = self.evaluation
        lines = [
            f"orders to look at: {found['rows']} reviewed orders of {found['persons']} patients, "
            f"{found['positives']} interventions ({found['prevalence']:.1%})"
        ]
        for name, scores in found["scores"].items():
            figures = (f"{figure} {_shown(scores[figure])}" for figure in ("auroc", "average_precision"))
            lines.append(f"  {name:<20}" + "   ".join(figures))
        alerts = self.alerts
        lines.append(
            f"  {'alerts':<20}{alerts['alerts_per_100']:.1f} per 100 orders (budget {alerts['budget_per_100']:g}), "
            f"{_percent(alerts['precision'])} right, {_percent(alerts['recall'])} of the interventions found"
        )
        return lines + self._of_last_month() + self._of_patients()

    def _of_last_month(self) -> list[str]:
        return [
            f"  {'last month':<20}{last['month']}: {last['positives']} interventions, {last['expected']:.0f} expected "
            f"(ratio {_shown(last['ratio'])}), {last['alerts_per_100']:.1f} alerts per 100 orders"
            for last in judged(self.months)[-1:]
        ]

    def _of_patients(self) -> list[str]:
        found = self.triage
        lines = [
            f"patients to read first: {found['rows']} patient-days, {found['prevalence']:.1%} with an intervention"
        ]
        for name, scores in found["scores"].items():
            figures = (f"{figure} {_shown(scores[figure])}" for figure in ("auroc", "average_precision"))
            lines.append(f"  {name:<20}" + "   ".join(figures))
        for name, interval in self.problem_classes["macro_f1"].items():
            lines.append(f"  class of problem, {name}: macro-F1 {_shown(interval)} over {self.problem_classes['n']}")
        return lines


def _shown(interval: dict[str, Any]) -> str:
    if interval["value"] is None or interval["low"] is None:
        return "?"
    return f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{share:.0%}"


TrainReport = Report
EvaluationReport = Report
AdaptationReport = Report
