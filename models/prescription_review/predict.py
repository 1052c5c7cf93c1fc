"""Predictions for the orders of a store: those that the alert budget allows to be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from models.contract import Prediction
from models.prescription_review.artefact import Artefact
from models.prescription_review.config import load_config
from models.prescription_review.explain import explain
from models.prescription_review.features import FEATURES, build_cases
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.orders import KEY
from models.prescription_review.train import identity
from models.registry import Registry
from models.view_store import ViewStore, read_views, require_contract


def predict(
    store: ViewStore,
    *,
    tracking_uri: str,
    since: datetime | None = None,
    as_of: datetime | None = None,
    version: int | None = None,
    every_order: bool = False,
) -> list[Prediction]:
    """One prediction per order to be looked at, in the order of patients and time.

    Args:
        since: only orders whose index time is at or after this instant.
        as_of: the store as it was known at this instant; no later order is scored.
        version: of the model; default: the newest.
        every_order: also those below the alert threshold (for audits; nothing to be delivered).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        ModelNotFound: nothing was trained yet.
    """
    stored = Registry(tracking_uri).load(load_config().model, version=version)
    artefact, knowledge = Artefact.read(stored.folder), load_knowledge()
    config = artefact.config
    require_contract(store, config.contract, config.views, config.model)
    cases = build_cases(read_views(store, config.views, model=config.model, as_of=as_of), config, knowledge)
    names = identity(artefact, stored)
    common: dict[str, Any] = {
        "model": names["model"],
        "model_version": names["model_version"],
        "model_sha256": names["model_sha256"],
        "view_contract": store.contract,
        "snapshot_id": store.snapshot_id,
    }
    orders = cases.orders[_wanted(cases.orders, since, as_of)]
    return _predictions(artefact, knowledge, orders, cases.findings, common, every_order=every_order)


def _wanted(orders: pd.DataFrame, since: datetime | None, as_of: datetime | None) -> pd.Series:
    wanted = pd.Series(True, index=orders.index)
    if since is not None:
        wanted &= orders["index_time"] >= _naive_utc(since)
    if as_of is not None:
        wanted &= orders["index_time"] <= _naive_utc(as_of)
    return wanted


def _predictions(
    artefact: Artefact,
    knowledge: Knowledge,
    orders: pd.DataFrame,
    findings: pd.DataFrame,
    common: dict[str, Any],
    *,
    every_order: bool,
) -> list[Prediction]:
    features = artefact.features(orders)
    raw = artefact.learner.predict(features)
    shown = np.ones(len(raw), dtype=bool) if every_order else raw >= artefact.threshold
    orders, features, raw = orders[shown], features[shown], raw[shown]
    shares = artefact.learner.contributions(features)[:, : len(FEATURES)]
    probability = artefact.calibrator.apply(raw)
    of_order = _by_order(findings, orders)
    life = timedelta(hours=artefact.config.valid_hours)
    rows: list[dict[Any, Any]] = orders.join(artefact.reference.compare(orders)).to_dict("records")
    found = []
    for position, order in enumerate(rows):
        order_id = int(order[KEY])
        words = explain(order, of_order.get(order_id, []), shares[position], knowledge, artefact.config.timezone)
        at = _aware(order["index_time"])
        stay = int(order["visit_occurrence_id"])
        found.append(
            Prediction(
                **common,
                person_id=int(order["person_id"]),
                occasion=f"drug_exposure:{order_id}",
                index_time=at,
                valid_from=at,
                valid_until=at + life,
                category=words.category,
                probability=float(probability[position]),
                severity=words.severity,
                message=words.message,
                visit_occurrence_id=stay if stay > 0 else None,
                contributions=words.contributions,
                evidence=words.evidence,
            )
        )
    return found


def _by_order(findings: pd.DataFrame, orders: pd.DataFrame) -> dict[int, list[dict[Any, Any]]]:
    """The findings of each order, as they are sorted."""
    grouped: dict[int, list[dict[Any, Any]]] = {}
    for finding in findings[findings[KEY].isin(orders[KEY])].to_dict("records"):
        grouped.setdefault(int(finding[KEY]), []).append(finding)
    return grouped


def _aware(instant: Any) -> datetime:
    value: datetime = instant.to_pydatetime().replace(tzinfo=UTC)
    return value


def _naive_utc(instant: datetime) -> datetime:
    """Instants are compared in naive UTC; one without a zone is taken as UTC."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
