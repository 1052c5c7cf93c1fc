"""Make a model that comes from another hospital ready for this one, and keep it as a version of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.prescription_review.artefact import Artefact
from models.prescription_review.config import load_config
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.report import AdaptationReport
from models.prescription_review.scoring import score_rows
from models.prescription_review.train import ADAPTED_FROM, Trained, fit_here, keep
from models.registry import Registry, Stored
from models.view_store import ViewStore

AS_IT_CAME = "as it came"


def adapt(
    store: ViewStore, *, tracking_uri: str, version: int | None = None, seed: int = 0, site: Path | None = None
) -> AdaptationReport:
    """Tell a registered model what is usual here, what pharmacists object to, how likely and how many alerts are.

    Its learners stay. The first orders, reviewed or not, say what is usual (doses, rhythms, routes, what goes
    together), and their reviews what pharmacists object to: both are counted beside what it knew from its own
    hospital. The next orders give the probabilities and the alert thresholds; the last ones judge it, beside itself as
    it came. Without reviews the probabilities stay.

    Args:
        version: default: the newest. A version that was adapted before is adapted again from what it was made of.
        site: folder of this hospital's own lines of knowledge (`load_knowledge`).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        KnowledgeError: a line of the site cannot be used.
        ModelNotFound: nothing is registered.
    """
    registry, model = Registry(tracking_uri), load_config().model
    came = registry.load(model, version=version)
    if ADAPTED_FROM in came.tags:
        came = registry.run(model, came.tags[ADAPTED_FROM])
    return _adapt(store, registry, Artefact.read(came.folder), lambda: came, seed, site)


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
    registry, artefact = Registry(tracking_uri), Artefact.read(folder)
    tags = {"view_contract": named["contract"], "snapshot_id": named["trained_on"], "came_as": named["model_version"]}

    def came() -> Stored:
        return registry.log(artefact.config.model, folder, params={}, metrics={}, tags=tags, plots={}, report={})

    return _adapt(store, registry, artefact, came, seed, site)


def _adapt(
    store: ViewStore,
    registry: Registry,
    as_it_came: Artefact,
    registered: Callable[[], Stored],
    seed: int,
    site: Path | None,
) -> AdaptationReport:
    """Args: ``registered``: the model as it came, asked for once it is adapted: what fails before leaves nothing."""
    started, knowledge = time.monotonic(), load_knowledge(site)
    here = fit_here(store, as_it_came, knowledge)
    scored = _scored(here, as_it_came, knowledge, seed)
    here.notes.append(_told(here, as_it_came))
    return keep("adapt", here, scored, store, registry, started, {ADAPTED_FROM: registered().run_id})


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
