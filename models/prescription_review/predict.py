"""Predictions for the orders of a store: those that the alert budget allows to be shown."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.contract import Prediction
from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import Columns
from models.prescription_review.config import Config, load_config
from models.prescription_review.explained import Explained, Scored, explained
from models.prescription_review.features import Cases, build_cases
from models.prescription_review.knowledge import Knowledge, load_knowledge
from models.prescription_review.orders import KEY, naive_utc
from models.prescription_review.read_first import CATEGORY, read_first
from models.prescription_review.train import identity
from models.registry import Registry
from models.view_store import ViewStore, read_views, require_contract

FLOOD = 3  # times the budget
FEW_ALERTS = 50  # so few are no flood, whatever their share
logger = logging.getLogger(__name__)


def predict(
    store: ViewStore,
    *,
    tracking_uri: str,
    since: datetime | None = None,
    as_of: datetime | None = None,
    version: int | None = None,
    every_order: bool = False,
    site: Path | None = None,
) -> list[Prediction]:
    """One prediction per order to be looked at, in the order of patients and time; then one per patient and day whose
    orders, read together, are among the first to be read.

    Args:
        since: only what is judged at or after this instant.
        as_of: the store as it was known at this instant; no later order is scored.
        version: of the model; default: the newest.
        every_order: every order and no patient (for audits; nothing to be delivered).
        site: folder of this hospital's own lines of knowledge (`load_knowledge`).

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model declares.
        ModelNotFound: nothing was trained yet.
    """
    ready = ReadyModel.load(tracking_uri, version, site)
    config = ready.artefact.config
    require_contract(store, config.contract, config.views, config.model)
    views = read_views(store, config.views, model=config.model, as_of=as_of)
    cases = build_cases(views, config, ready.knowledge, as_of=as_of)
    scored = Scored.of(ready.artefact, cases.only(_read_with(cases.rows, since, as_of, config.timezone)))
    wanted = _wanted(scored.cases.rows, since)
    if every_order:
        return ready.of_orders(explained(ready.artefact, ready.knowledge, scored, wanted), store)
    alerts = ready.is_alert(scored)
    _warn_of_a_flood(int((wanted & alerts).sum()), int(wanted.sum()), config)
    told = explained(ready.artefact, ready.knowledge, scored, alerts)
    found = [*ready.of_orders(told, store), *ready.of_patients(scored, told, store)]
    return [one for one in found if since is None or one.index_time >= _utc(since)]


@dataclass(frozen=True)
class ReadyModel:
    """A trained model with its knowledge, from described orders to predictions: tonight's, or those being written."""

    artefact: Artefact
    knowledge: Knowledge
    names: Mapping[str, Any]  # model, model_version, model_sha256

    @classmethod
    def load(cls, tracking_uri: str, version: int | None = None, site: Path | None = None) -> ReadyModel:
        """A registered version; the newest when none is named.

        Args:
            site: folder of this hospital's own lines of knowledge.

        Raises:
            ModelNotFound: nothing was trained yet.
        """
        stored = Registry(tracking_uri).load(load_config().model, version=version)
        artefact = Artefact.read(stored.folder)
        names, knowledge = identity(artefact, stored), load_knowledge(site)
        if knowledge.sha256 != artefact.knowledge_sha256:
            logger.warning(
                "the knowledge tables are not those of version %s of %s: rules say what they say now, and weigh what "
                "they weighed then. Train or adapt it again",
                names["model_version"], names["model"],
            )  # fmt: skip
        return cls(artefact, knowledge, {k: names[k] for k in ("model", "model_version", "model_sha256")})

    def predictions(self, cases: Cases, store: ViewStore) -> list[Prediction]:
        """One prediction per order above the alert threshold, in the order of the cases, which are from the store."""
        scored = Scored.of(self.artefact, cases)
        return self.of_orders(explained(self.artefact, self.knowledge, scored, self.is_alert(scored)), store)

    def is_alert(self, scored: Scored) -> NDArray[np.bool_]:
        """The orders above the alert threshold."""
        return np.asarray(scored.raw >= self.artefact.threshold)

    def of_orders(self, told: Sequence[Explained], store: ViewStore) -> list[Prediction]:
        """One prediction per order that is shown."""
        return [
            Prediction(
                **self._common(store, one.order["index_time"], int(one.order["visit_occurrence_id"])),
                person_id=int(one.order["person_id"]),
                occasion=f"drug_exposure:{int(one.order[KEY])}",
                category=one.words.category,
                probability=one.probability,
                severity=one.words.severity,
                message=one.words.message,
                contributions=one.words.contributions,
                evidence=one.words.evidence,
            )
            for one in told
        ]

    def of_patients(self, scored: Scored, told: Sequence[Explained], store: ViewStore) -> list[Prediction]:
        """One prediction per patient and day to be read first; ``told``: the alerts among the orders."""
        findings = {int(one.order[KEY]): one.words.finding for one in told}
        return [
            Prediction(
                **self._common(store, one.at, one.stay),
                person_id=one.person_id,
                occasion=f"orders_of_day:{one.day}",
                category=CATEGORY,
                probability=one.probability,
                severity=None,
                message=one.message,
                contributions=one.contributions,
                evidence=one.evidence,
            )
            for one in read_first(self.artefact, scored, findings)
        ]

    def _common(self, store: ViewStore, index_time: Any, stay: int) -> dict[str, Any]:
        at = _aware(index_time)
        return {
            **self.names,
            "view_contract": store.contract,
            "snapshot_id": store.snapshot_id,
            "index_time": at,
            "valid_from": at,
            "valid_until": at + timedelta(hours=self.artefact.config.valid_hours),
            "visit_occurrence_id": stay if stay > 0 else None,
        }


def _read_with(orders: Columns, since: datetime | None, as_of: datetime | None, timezone: str) -> NDArray[np.bool_]:
    """The orders that are judged in time, and those of the first day before: a day is read as a whole."""
    at = orders["index_time"]
    wanted = np.ones(len(at), dtype=bool)
    if since is not None:
        midnight = pd.Timestamp(_utc(since)).tz_convert(timezone).normalize().to_pydatetime()
        wanted &= at >= np.datetime64(naive_utc(midnight))
    if as_of is not None:
        wanted &= at <= np.datetime64(naive_utc(as_of))
    return wanted


def _wanted(orders: Columns, since: datetime | None) -> NDArray[np.bool_]:
    at = orders["index_time"]
    return np.asarray(at >= np.datetime64(naive_utc(since))) if since is not None else np.ones(len(at), dtype=bool)


def _warn_of_a_flood(alerts: int, orders: int, config: Config) -> None:
    """A model that has not learned what is usual here finds nearly everything unusual."""
    if alerts > max(FLOOD * config.budget * orders, FEW_ALERTS):
        logger.warning(
            "%s alerts on %d of %d orders, its budget is %g of 100: it may come from another hospital, or orders are "
            "written otherwise than when it learned. Before anything is delivered: passerelle adapt %s",
            config.model, alerts, orders, config.alerts_per_100_orders, config.model,
        )  # fmt: skip


def _utc(instant: datetime) -> datetime:
    return naive_utc(instant).replace(tzinfo=UTC)


def _aware(instant: Any) -> datetime:
    value: datetime = instant.item().replace(tzinfo=UTC)
    return value
