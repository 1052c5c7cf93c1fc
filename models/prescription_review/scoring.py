"""The rows on which a model is judged, with its baselines and subgroups beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import plots
from models.bootstrap import cluster_interval
from models.drift import by_month, judged
from models.evaluation import Sample, evaluate
from models.prescription_review import problem
from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import columns_of
from models.prescription_review.examples import examples
from models.prescription_review.explained import Scored
from models.prescription_review.features import Cases
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.triage import multicriteria
from models.ranking import Ranking

Array = NDArray[np.float64]
MODEL = "model"
ROUND_BUDGETS = (0.1, 0.2, 0.3)  # shares of the patients of a day
OF_PATIENTS = ("age", "sex", "kidney function (mL/min)", "stay")
BUDGETS = (0.004, 0.01, 0.05, 0.1)


def score_rows(
    artefact: Artefact,
    cases: Cases,
    labels: pd.DataFrame,
    knowledge: Knowledge,
    seed: int,
    beside: Mapping[str, Array] | None = None,
) -> dict[str, Any]:
    """Figures and plots on labelled orders that the model was not trained on.

    Args:
        cases: orders with a label; ``labels``: ``label`` and ``problem`` of each.
        beside: what else scores these orders, by name, to be compared with the model.
    Returns:
        ``evaluation`` of orders, ``months`` (`models.drift`), ``triage`` of the patients that are read on a day,
        ``alerts`` (at the model's own threshold), ``by_problem``, ``problem_classes``, ``examples`` and ``plots``.
    """
    orders, scored = cases.orders, Scored.of(artefact, cases)
    raw = scored.raw
    positive = labels["label"].to_numpy(float)
    scores = {
        MODEL: raw,
        "rule alerts": orders["rules_grave"].to_numpy(float),
        "dose percentile": 1 - scored.learned["daily_share_above"],
        **(beside or {}),
    }
    probability = artefact.calibrator.apply(raw)
    sample = Sample(positive, orders["person_id"].to_numpy(), scores, probability, subgroups(orders))
    budget = artefact.config.budget
    budgets = sorted({*BUDGETS, budget})
    evaluation = evaluate(sample, budgets=budgets, resamples=artefact.config.bootstrap, seed=seed)
    alert, local = raw >= artefact.threshold, pd.DatetimeIndex(orders["index_time"], tz="UTC")
    month = local.tz_convert(artefact.config.timezone).strftime("%Y-%m").to_numpy(str)
    months = by_month(sample, month, alert, resamples=artefact.config.bootstrap, seed=seed)
    return {
        "evaluation": evaluation,
        "months": months,
        "alerts": _alerts(alert, positive, budget),
        "by_problem": _by_problem(raw, positive, labels["problem"], budget),
        "problem_classes": _problem_classes(artefact, scored.features, orders, labels, seed),
        "triage": _triage(artefact, orders, probability, positive, seed),
        "examples": examples(artefact, knowledge, scored, labels),
        "plots": {
            "discrimination": plots.discrimination(positive, scores),
            "calibration": plots.calibration(evaluation["calibration"]["bins"]),
            "precision_at_budget": plots.precision_at_budget(positive, scores, budget),
            "decision_curve": plots.decision_curve(positive, probability),
            **({"month_by_month": plots.month_by_month(told)} if (told := judged(months)) else {}),
        },
    }


def scores_of(artefact: Artefact, cases: Cases, label: Array) -> dict[str, Sample]:
    """The orders, and the patients of a day: what became of each, and its probability.

    Args:
        label: 0 or 1 of each order.
    """
    raw = artefact.raw(cases)
    probability = artefact.calibrator.apply(raw)
    rounds, person = artefact.rounds(cases.rows), cases.rows["person_id"]
    chance = rounds.chance(probability)
    return {
        "orders": Sample(label, person, {MODEL: raw}, probability),
        "patients": Sample(rounds.highest(label), person[rounds.first], {MODEL: chance}, chance),
    }


def _alerts(alert: NDArray[np.bool_], positive: NDArray[np.float64], budget: float) -> dict[str, Any]:
    """What the threshold, learned before these rows, does on them."""
    right = float(positive[alert].sum())
    return {
        "budget_per_100": budget * 100,
        "alerts": int(alert.sum()),
        "alerts_per_100": float(alert.mean() * 100),
        "precision": float(right / alert.sum()) if alert.any() else None,
        "recall": float(right / positive.sum()) if positive.any() else None,
    }


def _triage(artefact: Artefact, orders: pd.DataFrame, probability: Array, positive: Array, seed: int) -> dict[str, Any]:
    """Figures of patient-days: those whose reviewed orders are among these rows."""
    rows = columns_of(orders)
    rounds = artefact.rounds(rows)
    chance = rounds.chance(probability)
    scores = {
        MODEL: chance,
        "rule alerts": rounds.sum(rows["rules_grave"]),
        "multicriteria query": multicriteria(rounds, rows),
    }
    first = orders.iloc[rounds.first]
    sample = Sample(
        rounds.highest(positive), first["person_id"].to_numpy(), scores, chance,
        {name: groups for name, groups in subgroups(first).items() if name in OF_PATIENTS},
    )  # fmt: skip
    return evaluate(sample, budgets=ROUND_BUDGETS, resamples=artefact.config.bootstrap, seed=seed)


def _problem_classes(
    artefact: Artefact, features: Array, orders: pd.DataFrame, labels: pd.DataFrame, seed: int
) -> dict[str, Any]:
    """The class that is predicted against the one that the pharmacist wrote, over the interventions."""
    coded = (labels["label"] == 1).to_numpy() & labels["problem"].isin(problem.CLASSES).to_numpy()
    said, predicted = labels["problem"].to_numpy(object)[coded], artefact.problem.predict(features[coded])
    commonest = np.full(len(said), max(problem.CLASSES, key=lambda code: (said == code).sum()), dtype=object)
    figures = {"model": predicted, "commonest class": commonest}
    person = orders["person_id"].to_numpy()[coded]

    def macro_f1(of: NDArray[Any]) -> dict[str, Any]:
        def statistic(weights: Array) -> float:
            found = problem.confusion(said, of, weights)["macro_f1"]
            return float("nan") if found is None else float(found)

        return cluster_interval(statistic, person, resamples=artefact.config.bootstrap, seed=seed).as_dict()

    scores = {name: macro_f1(of) for name, of in figures.items()} if len(said) else {}
    return {
        "n": len(said),
        "macro_f1": scores,
        **{k: v for k, v in problem.confusion(said, predicted).items() if k != "macro_f1"},
    }


def _by_problem(
    raw: NDArray[np.float64], positive: NDArray[np.float64], problem: pd.Series, budget: float
) -> list[dict[str, Any]]:
    """Interventions found within the budget, by class of problem (Act-IP code)."""
    order = Ranking.of(positive, raw).order
    found = np.zeros(len(raw), dtype=bool)
    found[order[: int(budget * len(raw))]] = True
    known = problem[positive == 1].fillna("none given")
    rows = []
    for code in sorted(known.unique(), key=lambda text: (len(str(text)), str(text))):
        here = (positive == 1) & problem.fillna("none given").eq(code).to_numpy()
        rows.append({"problem_code": str(code), "n": int(here.sum()), "found": int((here & found).sum())})
    return rows


def subgroups(orders: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Groups in which a model may be worse without anyone noticing."""
    age = pd.cut(orders["age"], [-np.inf, 18, 65, 80, np.inf], right=False, labels=["0–17", "18–64", "65–79", "80+"])
    kidney = pd.cut(orders["clearance"], [-np.inf, 30, 60, np.inf], right=False, labels=["under 30", "30–59", "60+"])
    night = (orders["hour"] < 8) | (orders["hour"] >= 20) | (orders["weekend"] == 1)
    return {
        "age": _named(age),
        "sex": orders["female"].map({1.0: "F", 0.0: "M"}).fillna("unknown").to_numpy(str),
        "kidney function (mL/min)": _named(kidney),
        "stay": orders["stay_kind"].to_numpy(str),
        "time": np.where(night, "night or weekend", "day"),
        "ATC group": np.where(orders["atc"] == "", "none", orders["atc"].str[:1]),
    }


def _named(bands: pd.Series) -> NDArray[Any]:
    return bands.astype(object).where(bands.notna(), "unknown").to_numpy(str)
