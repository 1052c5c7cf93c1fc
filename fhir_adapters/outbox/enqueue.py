"""Puts predictions into the outbox: the prediction and what is to be sent, in one transaction."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from fhir_adapters.build import Built, build_all
from fhir_adapters.exact_json import dumps
from fhir_adapters.french import utc
from fhir_adapters.outbox.schema import dead_letter, outbox, prediction
from fhir_adapters.outbox.states import WAITING, State
from fhir_adapters.r4b import structure_problems
from fhir_adapters.rules import errors
from fhir_adapters.site import Site
from models.contract import Prediction
from passerelle.errors import ContractError

CHUNK = 400  # keys in one query


@dataclasses.dataclass(slots=True)
class EnqueueReport:
    """What became of each prediction: ``read == new + changed + unchanged + refused``."""

    read: int = 0
    new: int = 0  # first content of a key
    changed: int = 0  # another content of a known key
    unchanged: int = 0  # the key already has this content
    refused: int = 0  # breaks a rule of R4: kept as a dead letter, never sent
    superseded: int = 0  # older contents that were still waiting and will not be sent

    def as_json(self) -> dict[str, int]:
        """The same for machines."""
        return dataclasses.asdict(self)


def enqueue(
    connection: Connection, predictions: Iterable[Prediction], target: str, site: Site, now: datetime
) -> EnqueueReport:
    """Add what is new; the same predictions again change nothing.

    Raises:
        ContractError: two different predictions of one call have the same model, person and occasion.
    """
    report = EnqueueReport()
    writer = _Writer(connection, target, site, now, report)
    seen: dict[str, Prediction] = {}
    for chunk in _chunks(predictions):
        for one in chunk:
            _refuse_conflict(seen, one)
        writer.write(chunk)
    return report


class _Writer:
    """Writes chunks of predictions within one transaction."""

    def __init__(self, connection: Connection, target: str, site: Site, now: datetime, report: EnqueueReport) -> None:
        self._connection, self._target, self._site = connection, target, site
        self._now, self._report = now, report
        self._templates: set[tuple[str, str]] = set()

    def write(self, chunk: Sequence[Prediction]) -> None:
        ids = list({one.prediction_id for one in chunk})
        latest = _latest_items(self._connection, self._target, ids)
        revisions = _latest_predictions(self._connection, ids)
        for one in {one.prediction_id: one for one in chunk}.values():
            self._report.read += 1
            self._one(one, latest.get(one.prediction_id), revisions.get(one.prediction_id))
        self._report.read += len(chunk) - len(ids)
        self._report.unchanged += len(chunk) - len(ids)  # the same prediction twice in one call

    def _one(self, one: Prediction, item: Row | None, row: Row | None) -> None:
        seq = 1 if item is None else item.seq + 1
        built = build_all(one, self._site, recorded=self._now, revision=seq)
        if row is None or row.content_sha256 != built.content_sha256:
            self._write_prediction(one, built, 1 if row is None else row.revision + 1)
        if item is not None and item.payload_sha256 == built.content_sha256:
            self._report.unchanged += 1
            return
        problems = self._problems(one, built)
        if problems:
            self._report.refused += 1
        else:
            self._report.superseded += self._supersede(one.prediction_id)
            self._report.new += item is None
            self._report.changed += item is not None
        self._write_item(one, built, seq, problems)

    def _problems(self, one: Prediction, built: Built) -> list[str]:
        """Our rules on every resource; the R4B classes on the first of each finding, as they are slow."""
        found = [str(problem) for resource in built.resources for problem in errors(resource)]
        template = (one.model, one.category)
        if not found and template not in self._templates:
            self._templates.add(template)
            found = [f"R4B: {problem}" for resource in built.resources for problem in structure_problems(resource)]
        return found

    def _supersede(self, key: str) -> int:
        waiting = (outbox.c.target == self._target) & (outbox.c.key == key) & outbox.c.state.in_(WAITING)
        replaced = update(outbox).where(waiting).values(
            state=State.SUPERSEDED, reason="a newer content arrived before this one was sent", settled_at=self._now
        )  # fmt: skip
        return self._connection.execute(replaced).rowcount

    def _write_prediction(self, one: Prediction, built: Built, revision: int) -> None:
        values = {
            "prediction_id": one.prediction_id, "revision": revision, "model": one.model,
            "model_version": one.model_version, "person_id": one.person_id, "content": _as_json(one),
            "content_sha256": built.content_sha256, "created_at": self._now,
        }  # fmt: skip
        self._connection.execute(insert(prediction).values(values))

    def _write_item(self, one: Prediction, built: Built, seq: int, problems: list[str]) -> None:
        payload = {"subject": built.subject, "device": built.device, "provenance": built.provenance}
        values: dict[str, Any] = {
            "target": self._target, "key": one.prediction_id, "seq": seq, "kind": "upsert", "person_id": one.person_id,
            "payload": dumps(payload), "payload_sha256": built.content_sha256, "model_device": built.device["id"],
            "not_after": utc(one.valid_until) if one.valid_until else None,
            "state": State.DEAD if problems else State.PENDING, "attempts": 0, "fence": 0,
            "next_at": self._now, "created_at": self._now, "reason": "rules" if problems else None,
        }  # fmt: skip
        item_id = self._connection.execute(insert(outbox).values(values)).inserted_primary_key
        if problems and item_id is not None:
            letter = {"outbox_id": item_id[0], "reason": "rules", "created_at": self._now}
            self._connection.execute(insert(dead_letter).values(letter | {"operation_outcome": "\n".join(problems)}))


def _refuse_conflict(seen: dict[str, Prediction], one: Prediction) -> None:
    other = seen.setdefault(one.prediction_id, one)
    if other != one:
        raise ContractError(
            f"two different predictions of {one.model} have the same person and occasion",
            looked=f"prediction {one.prediction_id}: categories {other.category} and {one.category}",
            do="give each its own occasion, such as drug_exposure:<id>:<category>",
        )


def _latest_items(connection: Connection, target: str, keys: list[str]) -> dict[str, Row]:
    mine = (outbox.c.target == target) & outbox.c.key.in_(keys)
    last = select(outbox.c.key, func.max(outbox.c.seq).label("seq")).where(mine).group_by(outbox.c.key).subquery()
    rows = select(outbox.c.key, outbox.c.seq, outbox.c.payload_sha256).join(
        last, (outbox.c.target == target) & (outbox.c.key == last.c.key) & (outbox.c.seq == last.c.seq)
    )
    return {row.key: row for row in connection.execute(rows)}


def _latest_predictions(connection: Connection, ids: list[str]) -> dict[str, Row]:
    p = prediction.c
    last = select(p.prediction_id, func.max(p.revision).label("revision")).where(p.prediction_id.in_(ids))
    latest = last.group_by(p.prediction_id).subquery()
    rows = select(p.prediction_id, p.revision, p.content_sha256).join(
        latest, (p.prediction_id == latest.c.prediction_id) & (p.revision == latest.c.revision)
    )
    return {row.prediction_id: row for row in connection.execute(rows)}


def _chunks(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    iterator = iter(predictions)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _as_json(one: Prediction) -> str:
    return json.dumps(dataclasses.asdict(one), default=_moment, ensure_ascii=False)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return utc(value).isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
