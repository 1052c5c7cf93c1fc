"""Reads what the outbox holds, for those who ask: the newest content of each resource, its history, by patient or time.

Readers never wait for a delivery, and no delivery waits for them: transactions that only read.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    case,
    cast,
    create_engine,
    event,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.schema import prediction
from fhir_adapters.outbox.states import Kind
from models.contract import Prediction

SUPERSEDED = "superseded"
Bound = tuple[Literal["<", ">="], datetime]
_p = prediction.c
_later = prediction.alias("later")
_predictions: TypeAdapter[Prediction] = TypeAdapter(Prediction)


@dataclass(frozen=True, slots=True)
class Stored:
    """One content of a resource, with its stand-ins."""

    row_id: int
    resource_type: str
    resource_id: str
    prediction_id: str
    revision: int
    person_id: int | None
    created_at: datetime
    replaced: bool  # a document in whose place there is a newer one
    content: Content


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; a tuple means any of its values, None means everything.

    Args:
        every_revision: not only the newest content of each resource.
        until_row: only rows that were there then, so that pages do not move while new contents arrive.
    """

    resource_type: str | None = None
    person_id: int | None = None
    visits: tuple[int, ...] | None = None
    resource_ids: tuple[str, ...] | None = None
    prediction_ids: tuple[str, ...] | None = None
    fingerprints: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    revisions: tuple[int, ...] | None = None
    bounds: tuple[Bound, ...] = ()
    every_revision: bool = False
    until_row: int | None = None


class OutboxReader:
    """The contents of an outbox. Made by ``open_reader``; any number of threads may use it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def newest_row(self) -> int:
        """The last row; 0 when there is none."""
        with self._reading() as connection:
            return int(connection.execute(select(func.coalesce(func.max(_p.id), 0))).scalar_one())

    def find(
        self, wanted: Wanted, *, limit: int, after: tuple[datetime, int] | None = None, newest_first: bool = False
    ) -> list[Stored]:
        """Contents in the order of their time.

        Args:
            after: time and row of the last one of the page before.
        """
        rows = self._contents(wanted).where(*self._where(wanted))
        if after is not None:
            moment, row_id = after
            beyond = (
                (_p.created_at < moment, _p.id < row_id) if newest_first else (_p.created_at > moment, _p.id > row_id)
            )
            rows = rows.where(or_(beyond[0], and_(_p.created_at == moment, beyond[1])))
        order = (_p.created_at.desc(), _p.id.desc()) if newest_first else (_p.created_at, _p.id)
        with self._reading() as connection:
            return [_stored(row) for row in connection.execute(rows.order_by(*order).limit(limit))]

    def count(self, wanted: Wanted) -> int:
        """How many there are."""
        with self._reading() as connection:
            rows = select(func.count()).select_from(prediction).where(*self._where(wanted))
            return int(connection.execute(rows).scalar_one())

    def devices(self) -> list[Stored]:
        """The first content of each model version, which has its Device; oldest first."""
        first = select(func.min(_p.id)).group_by(_p.model_device)
        return self._of_rows(_p.id.in_(first))

    def of_cohorts(self) -> list[Stored]:
        """The newest content about each cohort, which has its Group; oldest first."""
        newest = select(func.max(_p.id)).where(_p.person_id.is_(None)).group_by(_p.prediction_id)
        return self._of_rows(_p.id.in_(newest))

    def open_findings(self, person_id: int | None = None, at: datetime | None = None) -> list[Prediction]:
        """What a model said, still says, and nobody has judged; of one person or of everybody.

        Args:
            at: only what holds at this time.
        """
        wanted = Wanted("DetectedIssue", person_id)
        rows = select(_p.content).where(
            *self._where(wanted), _p.kind == Kind.UPSERT, self._status(wanted) == "preliminary"
        )
        if at is not None:
            rows = rows.where(or_(_p.not_after.is_(None), _p.not_after >= at))
        with self._reading() as connection:
            found = connection.execute(rows.order_by(_p.created_at, _p.id)).scalars()
            return [_predictions.validate_json(said) for said in found if said]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    def _of_rows(self, chosen: ColumnElement[bool]) -> list[Stored]:
        rows = self._contents(Wanted()).where(chosen).order_by(_p.created_at, _p.id)
        with self._reading() as connection:
            return [_stored(row) for row in connection.execute(rows)]

    def _contents(self, wanted: Wanted) -> Select[Any]:
        return select(prediction, self._replaced(wanted).label("replaced"))

    def _where(self, wanted: Wanted) -> list[ColumnElement[bool]]:
        one = ((_p.resource_type, wanted.resource_type), (_p.person_id, wanted.person_id))
        found: list[ColumnElement[bool]] = [column == value for column, value in one if value is not None]
        listed: tuple[tuple[Any, Sequence[Any] | None], ...] = (
            (_p.visit_occurrence_id, wanted.visits), (_p.resource_id, wanted.resource_ids),
            (_p.prediction_id, wanted.prediction_ids), (_p.payload_sha256, wanted.fingerprints),
            (_p.model_device, wanted.devices), (_p.revision, wanted.revisions),
        )  # fmt: skip
        found += [column.in_(values) for column, values in listed if values is not None]
        found += [_p.created_at < at if sign == "<" else _p.created_at >= at for sign, at in wanted.bounds]
        if wanted.statuses is not None:
            found.append(self._status(wanted).in_(wanted.statuses))
        if not wanted.every_revision:
            same = and_(_later.c.resource_type == _p.resource_type, _later.c.resource_id == _p.resource_id)
            found.append(~_exists_later(same, wanted))
        if wanted.until_row is not None:
            found.append(_p.id <= wanted.until_row)
        return found

    def _status(self, wanted: Wanted) -> ColumnElement[str]:
        text = cast(_p.payload, JSON) if self._engine.dialect.name == "postgresql" else type_coerce(_p.payload, JSON)
        said = text["resource"]["status"].as_string()
        return case((self._replaced(wanted), SUPERSEDED), else_=said)

    def _replaced(self, wanted: Wanted) -> ColumnElement[bool]:
        """Documents of one prediction are resources of their own; one that was withdrawn is that, and replaces none."""
        other = and_(
            _later.c.prediction_id == _p.prediction_id, _later.c.resource_id != _p.resource_id,
            _later.c.kind != Kind.RETRACT,
        )  # fmt: skip
        is_document = and_(_p.resource_type == "DocumentReference", _p.kind != Kind.RETRACT)
        return and_(is_document, _exists_later(other, wanted))


def open_reader(url: str) -> OutboxReader:
    """A reader of the outbox at a SQLAlchemy URL, which ``open_outbox`` has made."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _only_read)
    return OutboxReader(engine)


def _only_read(connection: Any, _: Any) -> None:
    for pragma in ("busy_timeout=5000", "query_only=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _exists_later(same: ColumnElement[bool], wanted: Wanted) -> ColumnElement[bool]:
    later = and_(same, _later.c.id > _p.id)
    return exists().where(later if wanted.until_row is None else and_(later, _later.c.id <= wanted.until_row))


def _stored(row: Row) -> Stored:
    return Stored(
        row.id, row.resource_type, row.resource_id, row.prediction_id, row.revision, row.person_id, row.created_at,
        bool(row.replaced), Content.read(row.payload),
    )  # fmt: skip
