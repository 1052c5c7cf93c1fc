"""The figures of a report, as SVG text that is the same for the same numbers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ranking import Ranking

Array = NDArray[np.float64]
INK, QUIET = "#1f2933", "#d5dbe1"
COLOURS = ("#1b6ca8", "#c8791a", "#6b7785", "#3a8a5f")  # told apart by colour-blind readers, and in print
MONTHS_NAMED = 12  # more would overlap
STYLE: Any = {
    "svg.hashsalt": "passerelle",  # element ids would be random otherwise
    "svg.fonttype": "none",  # text stays text: searchable, and the page's own font
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#eef1f4",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
}


@contextmanager
def _figure(panels: int = 1) -> Iterator[tuple[Any, list[Any], StringIO]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    text = StringIO()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * panels, 3.7), layout="constrained")
        yield figure, [figure.add_subplot(1, panels, index + 1) for index in range(panels)], text
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def discrimination(positive: Array, scores: Mapping[str, Array]) -> str:
    """ROC and precision–recall curves of the model and its baselines."""
    with _figure(2) as (_, (roc, recall), text):
        for (name, score), colour in zip(scores.items(), COLOURS, strict=False):
            curve = _curve(positive, score)
            ranking = Ranking.of(positive, score)
            roc.plot(curve["fpr"], curve["tpr"], color=colour, label=f"{name} {ranking.auroc():.2f}")
            label = f"{name} {ranking.average_precision():.2f}"
            recall.step(curve["tpr"], curve["precision"], where="pre", color=colour, label=label)
        roc.plot([0, 1], [0, 1], color=QUIET, linestyle="--")
        recall.axhline(float(np.mean(positive)), color=QUIET, linestyle="--", label="prevalence")
        roc.set(title="ROC (area)", xlabel="false positive rate", ylabel="true positive rate")
        recall.set(title="Precision and recall (average precision)", xlabel="recall", ylabel="precision")
        for panel in (roc, recall):
            panel.set(xlim=(0, 1), ylim=(0, 1.02))
            panel.legend(fontsize=8)
    return text.getvalue()


def calibration(bins: list[dict[str, float]]) -> str:
    """Observed share against mean forecast in bins of equal mass."""
    with _figure() as (_, (panel,), text):
        forecast = [row["forecast"] for row in bins]
        observed = [row["observed"] for row in bins]
        top = max([*forecast, *observed, 0.01]) * 1.1
        panel.plot([0, top], [0, top], color=QUIET, linestyle="--", label="perfect")
        panel.plot(forecast, observed, color=COLOURS[0], marker="o", label="10 bins of equal mass")
        panel.set(title="Calibration", xlabel="mean forecast", ylabel="observed share", xlim=(0, top), ylim=(0, top))
        panel.legend(fontsize=8)
    return text.getvalue()


def month_by_month(months: Sequence[Mapping[str, Any]]) -> str:
    """Positives over those that the probabilities let expect, with intervals; 1 is right.

    Args:
        months: at least one, of those that can be judged (`drift.judged`).
    """
    with _figure() as (_, (panel,), text):
        at, ratio = np.arange(len(months)), [row["ratio"] for row in months]
        value = np.array([one["value"] for one in ratio])
        span = [value - [one["low"] for one in ratio], [one["high"] for one in ratio] - value]
        panel.axhline(1, color=QUIET, linestyle="--")
        panel.errorbar(at, value, yerr=span, color=COLOURS[0], marker="o", linestyle="none", capsize=3)
        panel.set(title="Month by month", ylabel="positives over expected ones", ylim=(0, None))
        every = -(-len(months) // MONTHS_NAMED)
        panel.set_xticks(at[::every], [row["month"] for row in months[::every]], rotation=45, ha="right", fontsize=8)
    return text.getvalue()


def decision_curve(positive: Array, probability: Array, top: float = 0.5) -> str:
    """Net benefit against the probability from which one would act (Vickers and Elkin, Med Decis Making 2006)."""
    thresholds = np.linspace(0.005, top, 60)
    prevalence = float(np.mean(positive))

    def benefit(acted: NDArray[np.bool_], at: float) -> float:
        right, wrong = float((positive[acted] == 1).sum()), float((positive[acted] == 0).sum())
        return (right - wrong * at / (1 - at)) / len(positive)

    with _figure() as (_, (panel,), text):
        model = [benefit(probability >= at, float(at)) for at in thresholds]
        everything = [benefit(np.ones(len(positive), dtype=bool), float(at)) for at in thresholds]
        panel.plot(thresholds, model, color=COLOURS[0], label="model")
        panel.plot(thresholds, everything, color=COLOURS[2], linestyle="--", label="look at every row")
        panel.axhline(0, color=QUIET, label="look at none")
        panel.set(title="Decision curve", xlabel="probability from which one acts", ylabel="net benefit")
        panel.set(xlim=(0, top), ylim=(-0.2 * prevalence, 1.1 * prevalence))
        panel.legend(fontsize=8)
    return text.getvalue()


def precision_at_budget(positive: Array, scores: Mapping[str, Array], budget: float, top: float = 0.2) -> str:
    """Share of right alerts as the number of alerts per 100 rows grows; the configured budget is marked."""
    grid = np.linspace(0.005, top, 40)
    with _figure() as (_, (panel,), text):
        for (name, score), colour in zip(scores.items(), COLOURS, strict=False):
            ranking = Ranking.of(positive, score)
            panel.plot(grid * 100, [ranking.precision_at(at) for at in grid], color=colour, label=name)
        panel.axvline(budget * 100, color=QUIET, linestyle="--")
        panel.axhline(float(np.mean(positive)), color=QUIET, linestyle=":")
        panel.set(title="Precision within an alert budget", xlabel="alerts per 100 rows", ylabel="share right")
        panel.set(xlim=(0, top * 100), ylim=(0, 1.02))
        panel.legend(fontsize=8)
    return text.getvalue()


def _curve(positive: Array, score: Array) -> dict[str, Array]:
    ranking = Ranking.of(positive, score)
    ends = np.r_[ranking.starts[1:], len(ranking.order)] - 1
    hits = np.cumsum(ranking.positive)[ends]
    alerts = ends + 1.0
    total, negatives = max(hits[-1], 1), max(len(ranking.order) - hits[-1], 1)
    return {
        "tpr": np.r_[0, hits / total],
        "fpr": np.r_[0, (alerts - hits) / negatives],
        "precision": np.r_[1, hits / alerts],
    }
