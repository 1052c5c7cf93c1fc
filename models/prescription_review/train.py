"""Train on the views of a store, evaluate on its last months, register the model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evaluation import headline
from models.prescription_review.artefact import Artefact
from models.prescription_review.config import Config, load_config
from models.prescription_review.features import Cases, build_cases
from models.prescription_review.fitting import adapt_artefact, fit_artefact
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.labels import order_labels
from models.prescription_review.report import Report, TrainReport
from models.prescription_review.scoring import score_rows
from models.registry import Registry, Stored, folder_sha256
from models.splits import Cut, assign, choose_cut
from models.view_store import ViewStore, read_views, require_contract
from passerelle.errors import TerminalError

MIN_POSITIVES = 20
ADAPTED_FROM = "adapted_from"  # tag of a run: the run that holds the model as it came
UNCALIBRATED = (
    "Probabilities are still those of the hospital that the model came from: the reviews here are too few to tell "
    "otherwise."
)
NO_TAGS: Mapping[str, str] = {}


class NotEnoughLabels(TerminalError):
    """Too few reviewed orders, or too few interventions among them, to learn from."""


@dataclass(frozen=True)
class Trained:
    """A fitted model with the rows it was fitted and will be judged on."""

    artefact: Artefact
    cases: Cases
    labels: pd.DataFrame
    part: NDArray[Any]
    rows: dict[str, int]
    notes: list[str]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """The reviewed orders of the test part, shape (orders,)."""
        return (self.part == "test") & self.labels["label"].notna().to_numpy()


def train(store: ViewStore, *, tracking_uri: str, seed: int = 0, site: Path | None = None) -> TrainReport:
    """Train, evaluate on the held-out part, log and register.

    Args:
        site: folder of this hospital's own lines of knowledge (`load_knowledge`).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        KnowledgeError: a line of the site cannot be used.
        NotEnoughLabels: the reviews of the store are too few.
    """
    started = time.monotonic()
    knowledge = load_knowledge(site)
    trained = fit(store, load_config(), knowledge, seed)
    scored = judge(trained, knowledge, seed)
    return keep("train", trained, scored, store, Registry(tracking_uri), started)


def reproduce(store: ViewStore, *, tracking_uri: str, run_id: str, site: Path | None = None) -> bool:
    """Train again as a registered run did, and tell whether the model is the same to the byte.

    The recipe is the run's own; the data and the knowledge tables are those of now, so False means that one moved.
    """
    registry, model, knowledge = Registry(tracking_uri), load_config().model, load_knowledge(site)
    run = registry.run(model, run_id)
    if came := run.tags.get(ADAPTED_FROM):
        again = fit_here(store, Artefact.read(registry.run(model, came).folder), knowledge)
    else:
        recipe = Artefact.read(run.folder)
        again = fit(store, recipe.config, knowledge, recipe.seed)
    with tempfile.TemporaryDirectory() as scratch:
        again.artefact.write(Path(scratch))
        return folder_sha256(Path(scratch)) == run.sha256


def fit(store: ViewStore, config: Config, knowledge: Knowledge, seed: int) -> Trained:
    """Everything of training that touches no registry."""
    cases, labels, part, cut = described(store, config, knowledge)
    _enough(labels["label"], "in the store", store)
    _enough(labels["label"][part == "train"], "in its training part", store)
    artefact = fit_artefact(cases, labels, part, cut, config, knowledge, seed)
    rows = _count(labels["label"].notna().to_numpy(), labels["label"].to_numpy(), part)
    notes = [*_notes(rows, cases.orders), _calibrated(artefact, rows)]
    return Trained(artefact, cases, labels, part, rows, notes)


def fit_here(store: ViewStore, came: Artefact, knowledge: Knowledge) -> Trained:
    """Everything of an adaptation that touches no registry; reviews help, and need not be there.

    Args:
        came: the model as it left its hospital.
    """
    cases, labels, part, cut = described(store, came.config, knowledge)
    artefact = adapt_artefact(came, cases, labels, part, cut, knowledge)
    rows = _count(labels["label"].notna().to_numpy(), labels["label"].to_numpy(), part)
    told = UNCALIBRATED if artefact.calibrator == came.calibrator else _calibrated(artefact, rows)
    return Trained(artefact, cases, labels, part, rows, [*_notes(rows, cases.orders), told])


def described(store: ViewStore, config: Config, knowledge: Knowledge) -> tuple[Cases, pd.DataFrame, NDArray[Any], Cut]:
    """Every order of a store, its label, its part, and where the parts are cut."""
    require_contract(store, config.contract, {**config.views, **config.labels}, config.model)
    views = read_views(store, {**config.views, **config.labels}, model=config.model)
    cases = build_cases(views, config, knowledge)
    orders = cases.orders
    final = order_labels(views["order_reviews"], orders)
    times, reviewed = orders["index_time"].to_numpy(), final["label"].notna().to_numpy()
    cut = choose_cut(
        times[reviewed] if reviewed.any() else times,
        calibration_share=config.split.calibration_share,
        test_share=config.split.test_share,
    )
    part = assign(times, orders["person_id"].to_numpy(), cut)
    # A model built when the test part begins knows no later review, even of an earlier order.
    known_then = order_labels(views["order_reviews"], orders, as_of=cut.test_start)
    return cases, known_then.where(pd.Series(part != "test", index=orders.index), final), part, cut


def judge(trained: Trained, knowledge: Knowledge, seed: int) -> dict[str, Any]:
    """Figures on the reviewed orders of the test part."""
    rows = trained.judged
    if not rows.any():
        raise NotEnoughLabels(
            what="no reviewed order is left for the test part",
            looked=f"orders from {trained.artefact.cut.test_start} on, of patients unknown before",
            do="train on a longer period, or on more patients",
        )
    return score_rows(trained.artefact, trained.cases.only(rows), trained.labels[rows], knowledge, seed)


def identity(artefact: Artefact, stored: Stored) -> dict[str, Any]:
    """What names a model in a report and in a prediction."""
    return {
        "model": artefact.config.model,
        "model_version": f"{artefact.config.version}.{stored.version}",
        "run_id": stored.run_id,
        "model_sha256": stored.sha256,
        "knowledge_sha256": artefact.knowledge_sha256,
    }


def keep(
    action: Literal["train", "adapt"],
    trained: Trained,
    scored: dict[str, Any],
    store: ViewStore,
    registry: Registry,
    started: float,
    tags: Mapping[str, str] = NO_TAGS,
) -> Report:
    """Register a run with its model, parameters, figures and plots, and report it.

    Args:
        scored: as `judge` gives it; empty without reviewed orders to judge by.
        started: by `time.monotonic`.
    """
    stored = _register(trained, scored, store, registry, tags)
    return Report(
        action=action,
        **identity(trained.artefact, stored),
        view_contract=store.contract,
        snapshot_id=store.snapshot_id,
        rows=trained.rows,
        notes=trained.notes,
        seconds=round(time.monotonic() - started, 2),
        **scored,
    )


def _register(
    trained: Trained, scored: dict[str, Any], store: ViewStore, registry: Registry, tags: Mapping[str, str]
) -> Stored:
    artefact = trained.artefact
    params = {
        "seed": artefact.seed,
        "trees": artefact.trees,
        "calibration": artefact.calibrator.kind,
        "alerts_per_100_orders": artefact.config.alerts_per_100_orders,
        "knowledge_sha256": artefact.knowledge_sha256,
        **artefact.cut.as_dict(),
        **{f"learner.{name}": value for name, value in artefact.config.learner.model_dump().items()},
        **{f"rows.{name}": value for name, value in trained.rows.items()},
    }
    with tempfile.TemporaryDirectory() as scratch:
        artefact.write(Path(scratch))
        return registry.log(
            artefact.config.model,
            Path(scratch),
            params=params,
            metrics=headline(scored["evaluation"]) if scored else {},
            tags={"view_contract": store.contract, "snapshot_id": store.snapshot_id, **tags},
            plots=scored.get("plots", {}),
            report={name: value for name, value in scored.items() if name != "plots"} | {"notes": trained.notes},
        )


def _enough(label: pd.Series, where: str, store: ViewStore) -> None:
    reviewed, positive = int(label.notna().sum()), int(label.sum())
    if min(positive, reviewed - positive) < MIN_POSITIVES:
        raise NotEnoughLabels(
            what=f"too few reviewed orders {where} to learn from: {positive} interventions among {reviewed}",
            looked=f"view order_reviews, snapshot {store.snapshot_id}; {MIN_POSITIVES} of each kind are needed",
            do="map the pharmacists' reviews into observation (see the source's README), or wait for more of them",
        )


def _count(reviewed: NDArray[np.bool_], label: NDArray[np.float64], part: NDArray[Any]) -> dict[str, int]:
    counts = {"orders": len(part), "reviewed": int(reviewed.sum()), "unreviewed": int((~reviewed).sum())}
    counts["interventions"] = int(np.nansum(label))
    for name in ("train", "calibration", "test", "left_out"):
        counts[name] = int((reviewed & (part == name)).sum())
    return counts


def _notes(rows: dict[str, int], orders: pd.DataFrame) -> list[str]:
    """What a reader must know before the figures."""
    orders_with_dose = orders["daily"].notna().mean()
    return [
        f"{rows['unreviewed']} of {rows['orders']} orders were not reviewed in time: they are neither positive nor "
        "negative, and no figure speaks of them.",
        f"{rows['left_out']} reviewed orders were left out: their patient already belongs to an earlier part.",
        f"{orders_with_dose:.0%} of the orders have a daily dose, {orders['clearance'].notna().mean():.0%} a kidney "
        f"function and {(orders['atc'] != '').mean():.0%} an ATC code; rules are silent on the others.",
    ]


def _calibrated(artefact: Artefact, rows: dict[str, int]) -> str:
    kind, factor = artefact.calibrator.kind, artefact.calibrator.factor
    by = kind if factor == 1 else f"{kind} and times {factor:.2f}"
    return (
        f"Probabilities were calibrated by {by} on {rows['calibration']} later orders; the alert threshold was learned "
        "on the same period, reviewed or not."
    )
