"""Predictions for the orders of a store: those that the alert budget allows to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.contract import Prediction
from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import Columns
from models.prescription_review.config import load_config
from models.prescription_review.explained import Explained, explained
from models.prescription_review.features import Cases, build_cases
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.orders import KEY, naive_utc
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
        since: only orders judged at or after this instant.
        as_of: the store as it was known at this instant; no later order is scored.
        version: of the model; default: the newest.
        every_order: also those below the alert threshold (for audits; nothing to be delivered).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        ModelNotFound: nothing was trained yet.
    """
    ready = ReadyModel.load(tracking_uri, version)
    config = ready.artefact.config
    require_contract(store, config.contract, config.views, config.model)
    views = read_views(store, config.views, model=config.model, as_of=as_of)
    cases = build_cases(views, config, ready.knowledge, as_of=as_of)
    return ready.predictions(cases.only(_wanted(cases.rows, since, as_of)), store, every_order=every_order)


@dataclass(frozen=True)
class ReadyModel:
    """A trained model with its knowledge, from described orders to predictions: tonight's, or those being written."""

    artefact: Artefact
    knowledge: Knowledge
    names: Mapping[str, Any]  # model, model_version, model_sha256

    @classmethod
    def load(cls, tracking_uri: str, version: int | None = None) -> ReadyModel:
        """A registered version; the newest when none is named.

        Raises:
            ModelNotFound: nothing was trained yet.
        """
        stored = Registry(tracking_uri).load(load_config().model, version=version)
        artefact = Artefact.read(stored.folder)
        names = identity(artefact, stored)
        return cls(artefact, load_knowledge(), {k: names[k] for k in ("model", "model_version", "model_sha256")})

    def predictions(self, cases: Cases, store: ViewStore, *, every_order: bool = False) -> list[Prediction]:
        """One prediction per order above the alert threshold, in the order of the cases.

        Args:
            store: where the cases come from.
            every_order: also those below the threshold.
        """
        threshold = None if every_order else self.artefact.threshold
        common = {**self.names, "view_contract": store.contract, "snapshot_id": store.snapshot_id}
        found = explained(self.artefact, self.knowledge, cases, threshold)
        return [self._prediction(one, common) for one in found]

    def _prediction(self, one: Explained, common: Mapping[str, Any]) -> Prediction:
        order, words, config = one.order, one.words, self.artefact.config
        at, stay = _aware(order["index_time"]), int(order["visit_occurrence_id"])
        return Prediction(
            **common,
            person_id=int(order["person_id"]),
            occasion=f"drug_exposure:{int(order[KEY])}",
            index_time=at,
            valid_from=at,
            valid_until=at + timedelta(hours=config.valid_hours),
            category=words.category,
            probability=one.probability,
            severity=words.severity,
            message=words.message,
            visit_occurrence_id=stay if stay > 0 else None,
            contributions=words.contributions,
            evidence=words.evidence,
        )


def _wanted(orders: Columns, since: datetime | None, as_of: datetime | None) -> NDArray[np.bool_]:
    at = orders["index_time"]
    wanted = np.ones(len(at), dtype=bool)
    if since is not None:
        wanted &= at >= np.datetime64(naive_utc(since))
    if as_of is not None:
        wanted &= at <= np.datetime64(naive_utc(as_of))
    return wanted


def _aware(instant: Any) -> datetime:
    value: datetime = instant.item().replace(tzinfo=UTC)
    return value
