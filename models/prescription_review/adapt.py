"""Make a model that comes from another hospital ready for this one, and keep it as a version of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.prescription_review.artefact import Artefact
from models.prescription_review.config import load_config
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.report import AdaptationReport
from models.prescription_review.scoring import score_rows
from models.prescription_review.train import ADAPTED_FROM, Trained, fit_here, identity, register
from models.registry import Registry, Stored
from models.view_store import ViewStore

AS_IT_CAME = "as it came"


def adapt(
    store: ViewStore, *, tracking_uri: str, version: int | None = None, seed: int = 0, site: Path | None = None
) -> AdaptationReport:
    """Tell a registered model what is usual here, what pharmacists object to, how likely and how many alerts are.

    Its learners stay. What is usual (doses, rhythms, routes, what goes together) comes from the first orders, reviewed
    or not; their reviews are counted beside those of its own hospital; the next orders give the probabilities and the
    alert thresholds; the last ones judge it, beside itself as it came. Without reviews the probabilities stay.

    Args:
        version: default: the newest. A version that was adapted before is adapted again from what it was made of.
        site: folder of this hospital's own lines of knowledge (`load_knowledge`).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        KnowledgeError: a line of the site cannot be used.
        ModelNotFound: nothing is registered.
    """
    started, registry, model = time.monotonic(), Registry(tracking_uri), load_config().model
    came = registry.load(model, version=version)
    if ADAPTED_FROM in came.tags:
        came = registry.run(model, came.tags[ADAPTED_FROM])
    artefact, knowledge = Artefact.read(came.folder), load_knowledge(site)
    return _keep(fit_here(store, artefact, knowledge), artefact, came, store, registry, knowledge, seed, started)


def adapt_folder(
    store: ViewStore,
    folder: Path,
    *,
    named: Mapping[str, str],
    tracking_uri: str,
    seed: int = 0,
    site: Path | None = None,
) -> AdaptationReport:
    """The same of a model's files, which are registered too: the run can be made again.

    Args:
        named: ``model_version``, ``contract`` and ``trained_on``, as the files were packed.
    """
    started, registry = time.monotonic(), Registry(tracking_uri)
    artefact, knowledge = Artefact.read(folder), load_knowledge(site)
    here = fit_here(store, artefact, knowledge)
    tags = {"view_contract": named["contract"], "snapshot_id": named["trained_on"], "came_as": named["model_version"]}
    came = registry.log(artefact.config.model, folder, params={}, metrics={}, tags=tags, plots={}, report={})
    return _keep(here, artefact, came, store, registry, knowledge, seed, started)


def _keep(
    here: Trained,
    as_it_came: Artefact,
    came: Stored,
    store: ViewStore,
    registry: Registry,
    knowledge: Knowledge,
    seed: int,
    started: float,
) -> AdaptationReport:
    scored = _scored(here, as_it_came, knowledge, seed)
    here.notes.append(_told(here, as_it_came))
    stored = register(here, scored, store, registry, {ADAPTED_FROM: came.run_id})
    return AdaptationReport(
        action="adapt",
        **identity(here.artefact, stored),
        view_contract=store.contract,
        snapshot_id=store.snapshot_id,
        rows=here.rows,
        notes=here.notes,
        seconds=round(time.monotonic() - started, 2),
        **scored,
    )


def _scored(here: Trained, as_it_came: Artefact, knowledge: Knowledge, seed: int) -> dict[str, Any]:
    """Figures on the last reviewed orders; none where they do not hold both interventions and accepted orders."""
    rows = here.judged
    label = here.labels["label"].to_numpy(float)[rows]
    if not 0 < label.sum() < len(label):
        return {}
    cases = here.cases.only(rows)
    beside = {AS_IT_CAME: as_it_came.raw(cases)}
    return score_rows(here.artefact, cases, here.labels[rows], knowledge, seed, beside)


def _told(here: Trained, as_it_came: Artefact) -> str:
    """What the move would have cost: alerts on the orders that taught neither usage nor threshold."""
    last = here.cases.only(here.part == "test")
    came, now = (
        100 * float(np.mean(one.raw(last) >= one.threshold)) if len(last.orders) else 0.0
        for one in (as_it_came, here.artefact)
    )
    return (
        f"Of 100 of the last {len(last.orders)} orders, reviewed or not, {came:.1f} would raise an alert as the model "
        f"came, {now:.1f} do now (budget {here.artefact.config.alerts_per_100_orders:g})."
    )
