"""Judge a registered model: again on its own test part, or on another hospital as a whole."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.drift import noticed
from models.prescription_review.artefact import Artefact
from models.prescription_review.config import load_config
from models.prescription_review.features import Cases, build_cases
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.labels import order_labels
from models.prescription_review.report import EvaluationReport
from models.prescription_review.scoring import MODEL, score_rows
from models.prescription_review.train import NotEnoughLabels, identity
from models.registry import Registry
from models.splits import assign, choose_cut
from models.view_store import ViewStore, read_views, require_contract

USAGE_SHARE = 0.3  # of the orders of another hospital: the first of them show what is usual there


def evaluate(
    store: ViewStore,
    *,
    tracking_uri: str,
    version: int | None = None,
    rows: Literal["test", "all"] = "test",
    seed: int = 0,
    site: Path | None = None,
) -> EvaluationReport:
    """Figures of a registered model on a store.

    Args:
        rows: ``test``: orders after the model's own cut, of patients unknown before it (the hospital of training);
            ``all``: another hospital, which the model has never seen: what is usual is learned from its first orders,
            and the later reviewed orders of other patients are judged. No review tells the model anything: what it
            gains by them, and keeps, is the work of ``adapt``.
        site: folder of this hospital's own lines of knowledge (`load_knowledge`).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        NotEnoughLabels: no intervention, or no accepted order, among these rows.
    """
    stored = Registry(tracking_uri).load(load_config().model, version=version)
    artefact = Artefact.read(stored.folder)
    return evaluate_artefact(
        store, artefact, identity(artefact, stored), rows=rows, seed=seed, knowledge=load_knowledge(site)
    )


def evaluate_folder(store: ViewStore, folder: Path, *, named: Mapping[str, str], seed: int = 0) -> EvaluationReport:
    """The same of a model's files, on every reviewed order of a hospital that the model has never seen.

    Args:
        named: ``model``, ``model_version``, ``run_id`` and ``model_sha256``, as the files were packed.
    """
    artefact = Artefact.read(folder)
    names = {**named, "knowledge_sha256": artefact.knowledge_sha256}
    return evaluate_artefact(store, artefact, names, rows="all", seed=seed, knowledge=load_knowledge())


def evaluate_artefact(
    store: ViewStore,
    artefact: Artefact,
    names: Mapping[str, Any],
    *,
    rows: Literal["test", "all"],
    seed: int,
    knowledge: Knowledge,
) -> EvaluationReport:
    """Figures of a model that has been read. Arguments and errors as `evaluate`."""
    started = time.monotonic()
    found = judged(store, artefact, knowledge, rows=rows)
    scored = score_rows(found.artefact, found.cases.only(found.chosen), found.labels[found.chosen], knowledge, seed)
    return EvaluationReport(
        action="evaluate",
        **names,
        view_contract=store.contract,
        snapshot_id=store.snapshot_id,
        rows={
            "orders": len(found.labels), "reviewed": int(found.labels["label"].notna().sum()),
            rows: int(found.chosen.sum()),
        },
        notes=noticed(scored["months"], scored["evaluation"]["scores"][MODEL]["auroc"]),
        seconds=round(time.monotonic() - started, 2),
        **scored,
    )  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A model at a hospital, and its orders.

    Attributes:
        artefact: with the usage of that hospital, where it is another one.
        labels: of each order.
        chosen: of each order: whether it is one of the reviewed ones on which the model is judged.
    """

    artefact: Artefact
    cases: Cases
    labels: pd.DataFrame
    chosen: NDArray[np.bool_]


def judged(store: ViewStore, artefact: Artefact, knowledge: Knowledge, *, rows: Literal["test", "all"]) -> Judged:
    """Describe every order of a store, and choose those that count. Arguments and errors as `evaluate`."""
    config = artefact.config
    require_contract(store, config.contract, {**config.views, **config.labels}, config.model)
    views = read_views(store, {**config.views, **config.labels}, model=config.model)
    cases = build_cases(views, config, knowledge)
    labels = order_labels(views["order_reviews"], cases.orders)
    times, persons = (cases.orders[name].to_numpy() for name in ("index_time", "person_id"))
    cut = choose_cut(times, calibration_share=0, test_share=1 - USAGE_SHARE) if rows == "all" else artefact.cut
    part = assign(times, persons, cut)
    if rows == "all":
        artefact = artefact.with_usage_of(cases.only(part == "train"))
    reviewed = labels["label"].notna().to_numpy()
    chosen = reviewed & (part == "test")
    if not 0 < np.nansum(labels["label"][chosen]) < chosen.sum():
        raise NotEnoughLabels(
            what=f"the {rows} rows of this store do not hold both interventions and accepted orders",
            looked=f"{int(chosen.sum())} reviewed orders, snapshot {store.snapshot_id}",
            do=f"a model from another hospital: passerelle adapt {config.model}; else wait for more reviews",
        )
    return Judged(artefact, cases, labels, chosen)
