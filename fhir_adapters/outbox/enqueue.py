"""Puts predictions into the outbox: the prediction and what is to be sent, in one transaction."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from fhir_adapters.build import Built, build_all
from fhir_adapters.exact_json import sha256
from fhir_adapters.fingerprint import with_fingerprint
from fhir_adapters.french import utc
from fhir_adapters.outbox import revisions
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.revisions import Revision
from fhir_adapters.outbox.schema import outbox, prediction, recall
from fhir_adapters.outbox.states import Kind
from fhir_adapters.people import with_what_people_wrote
from fhir_adapters.r4b import structure_problems
from fhir_adapters.rules import errors
from fhir_adapters.site import Site
from models.contract import Prediction
from passerelle.errors import ContractError

CHUNK = 400  # keys in one query
Template = tuple[Site, str, str]  # site, model, category: predictions of one differ in their values alone


@dataclasses.dataclass(slots=True)
class EnqueueReport:
    """What became of each prediction: ``read == new + changed + unchanged + refused + recalled``."""

    read: int = 0
    new: int = 0  # first content of a key
    changed: int = 0  # another content of a known key
    unchanged: int = 0  # the key already has this content
    refused: int = 0  # breaks a rule of R4: kept as a dead letter, never sent
    recalled: int = 0  # of a model version that was recalled: neither kept nor sent
    superseded: int = 0  # older contents that were still waiting and will not be sent

    def as_json(self) -> dict[str, int]:
        """The same for machines."""
        return dataclasses.asdict(self)


def enqueue(
    connection: Connection,
    predictions: Iterable[Prediction],
    targets: Sequence[str],
    site: Site,
    now: datetime,
    sound: set[Template],
) -> EnqueueReport:
    """Add what is new; the same predictions again change nothing, but for a target that has not had them yet.

    Args:
        sound: findings whose resources the R4B classes have accepted; grows, and is the caller's to remember.

    Raises:
        ContractError: two different predictions of one call have the same model, person and occasion.
    """
    report = EnqueueReport()
    writer = _Writer(connection, targets, site, now, report, sound)
    seen: dict[str, Prediction] = {}
    for chunk in _chunks(predictions):
        for one in chunk:
            _refuse_conflict(seen, one)
        writer.write(chunk)
    return report


class _Writer:
    """Writes chunks of predictions within one transaction."""

    def __init__(
        self,
        connection: Connection,
        targets: Sequence[str],
        site: Site,
        now: datetime,
        report: EnqueueReport,
        sound: set[Template],
    ) -> None:
        self._connection, self._targets, self._site = connection, targets, site
        self._now, self._report, self._sound = now, report, sound
        self._recalled = set(connection.execute(select(recall.c.model, recall.c.model_version)).tuples())
        self._checked: set[str] = set()  # Devices and Groups: the same for many predictions

    def write(self, chunk: Sequence[Prediction]) -> None:
        """Write what is new of a chunk, and what a target lacks."""
        distinct = list({one.prediction_id: one for one in chunk}.values())
        self._report.read += len(chunk)
        self._report.unchanged += len(chunk) - len(distinct)  # the same prediction twice in one call
        known = revisions.latest(self._connection, [one.prediction_id for one in distinct])
        fresh = [found for one in distinct if (found := self._new(one, known.get(one.prediction_id))) is not None]
        self._report.superseded += revisions.write(self._connection, fresh, self._targets, self._now)
        self._complete(known, {one.prediction_id for one in fresh})

    def _new(self, one: Prediction, row: Row | None) -> Revision | None:
        if (one.model, one.model_version) in self._recalled:
            self._report.recalled += 1
            return None
        number = 1 if row is None else row.revision + 1
        built = build_all(one, self._site, recorded=self._now, revision=number)
        if row is not None and row.kind != Kind.RETRACT and row.content_sha256 == built.content_sha256:
            self._report.unchanged += 1
            return None
        problems = self._problems(one, built)
        self._report.refused += bool(problems)
        self._report.new += not problems and row is None
        self._report.changed += not problems and row is not None
        return self._revision(one, built, row, number, problems)

    def _revision(self, one: Prediction, built: Built, row: Row | None, number: int, problems: list[str]) -> Revision:
        resource, fingerprint = built.resource, built.content_sha256
        if row is not None and row.kind == Kind.MITIGATE:
            resource = with_what_people_wrote(resource, _resource_of(self._connection, row.id))
            fingerprint = sha256(resource)
            with_fingerprint(resource, fingerprint, self._site)
        return Revision(
            key=one.prediction_id, prediction_id=one.prediction_id, revision=number, kind=Kind.UPSERT,
            model=one.model, model_version=one.model_version, model_device=built.device["id"],
            person_id=one.person_id, visit_occurrence_id=one.visit_occurrence_id, said=_as_json(one),
            content_sha256=built.content_sha256, content=Content(resource, built.supports, built.provenance),
            payload_sha256=fingerprint, not_after=utc(one.valid_until) if one.valid_until else None,
            problems=problems,
        )  # fmt: skip

    def _problems(self, one: Prediction, built: Built) -> list[str]:
        """Our rules on every resource; the R4B classes until a finding was accepted once, as they are slow."""
        new = [support for support in built.supports if support["id"] not in self._checked]
        self._checked.update(support["id"] for support in new)
        found = [str(p) for resource in (*new, built.resource, built.provenance) for p in errors(resource)]
        template = (self._site, one.model, one.category)
        if not found and template not in self._sound:
            found = [f"R4B: {problem}" for resource in built.resources for problem in structure_problems(resource)]
            if not found:
                self._sound.add(template)
        return found

    def _complete(self, known: dict[str, Row], fresh: set[str]) -> None:
        """Items for targets that have had none of a prediction whose content is not new."""
        same = {id_: row for id_, row in known.items() if id_ not in fresh}
        for target in self._targets if same else ():
            mine = (outbox.c.target == target) & outbox.c.key.in_(same)
            there = set(self._connection.execute(select(outbox.c.key).where(mine)).scalars())
            _send_known(self._connection, target, [row for id_, row in same.items() if id_ not in there], self._now)


def offer(connection: Connection, target: str, models: Sequence[str] | None, now: datetime) -> int:
    """Items for a target that has had none of some predictions: their last contents, unless they were withdrawn."""
    mine = select(outbox.c.id).where(outbox.c.target == target, outbox.c.key == prediction.c.prediction_id).exists()
    lacking = select(prediction.c.prediction_id).where(~mine).distinct()
    if models is not None:
        lacking = lacking.where(prediction.c.model.in_(models))
    ids = sorted(connection.execute(lacking).scalars())
    sent = 0
    for start in range(0, len(ids), CHUNK):
        rows = revisions.latest(connection, ids[start : start + CHUNK])
        sent += _send_known(connection, target, list(rows.values()), now)
    return sent


def _send_known(connection: Connection, target: str, rows: Sequence[Row], now: datetime) -> int:
    pairs = [(row.id, _revision_of(connection, row)) for row in rows if row.kind != Kind.RETRACT]
    if pairs:
        revisions.send(connection, target, pairs, now)
    return len(pairs)


def _resource_of(connection: Connection, row_id: int) -> dict[str, Any]:
    payload = connection.execute(select(prediction.c.payload).where(prediction.c.id == row_id)).scalar_one()
    return Content.read(payload).resource


def _revision_of(connection: Connection, row: Row) -> Revision:
    """A revision as it was written."""
    payload = connection.execute(select(prediction.c.payload).where(prediction.c.id == row.id)).scalar_one()
    content = Content.read(payload)
    return Revision(
        key=row.prediction_id, prediction_id=row.prediction_id, revision=row.revision, kind=Kind(row.kind),
        model=row.model, model_version=row.model_version, model_device=row.model_device, person_id=row.person_id,
        visit_occurrence_id=row.visit_occurrence_id, said=None, content_sha256=row.content_sha256,
        content=content, payload_sha256=row.payload_sha256, not_after=row.not_after,
        problems=[str(problem) for resource in content.resources for problem in errors(resource)],
    )  # fmt: skip


def _refuse_conflict(seen: dict[str, Prediction], one: Prediction) -> None:
    other = seen.setdefault(one.prediction_id, one)
    if other != one:
        raise ContractError(
            f"two different predictions of {one.model} have the same person and occasion",
            looked=f"prediction {one.prediction_id}: categories {other.category} and {one.category}",
            do="give each its own occasion, such as drug_exposure:<id>:<category>",
        )


def _chunks(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    iterator = iter(predictions)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _as_json(one: Prediction) -> str:
    return orjson.dumps(one, option=orjson.OPT_NAIVE_UTC).decode()
