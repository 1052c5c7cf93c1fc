"""``Outbox``: the database of what is to be delivered, and every transaction on it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from fhir_adapters.build import DEFAULT_SITE
from fhir_adapters.outbox import claim as claims
from fhir_adapters.outbox import dead_letters
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.enqueue import EnqueueReport, Template, enqueue, offer
from fhir_adapters.outbox.mitigate import mitigate
from fhir_adapters.outbox.owner import new_owner
from fhir_adapters.outbox.recall import Recalled, recall_version, recalls, remember_proof
from fhir_adapters.outbox.schema import metadata, outbox, prediction, target_state
from fhir_adapters.outbox.states import OPEN, State
from fhir_adapters.site import Site
from models.contract import Prediction
from passerelle.errors import TerminalError

Clock = Callable[[], datetime]
Json = dict[str, Any]
DEFAULT_TARGET = "default"


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Outbox:
    """Predictions and their deliveries. Made by ``open_outbox``; usable from several processes at once."""

    def __init__(self, engine: Engine, clock: Clock = utc_now) -> None:
        self._engine, self.clock = engine, clock
        self.owner = new_owner()
        self._sound: set[Template] = set()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One database transaction: all of it or nothing."""
        with self._engine.begin() as connection:
            yield connection

    def enqueue(self, predictions: Iterable[Prediction], *targets: str, site: Site = DEFAULT_SITE) -> EnqueueReport:
        """Write the predictions and what is to be sent of them, in one transaction. Again: nothing changes.

        Args:
            targets: names of the servers that are to get them; ``default`` when none is given.
        """
        with self.transaction() as connection:
            return enqueue(connection, predictions, targets or (DEFAULT_TARGET,), site, self.clock(), self._sound)

    def offer(self, target: str, models: Iterable[str] | None = None) -> int:
        """Items for a target that is new, or that now gets a model's results. Returns how many.

        Args:
            models: whose results it gets; None: every model's.
        """
        with self.transaction() as connection:
            return offer(connection, target, None if models is None else list(models), self.clock())

    def claim(self, claimer: claims.Claimer, as_of: datetime | None = None, limit: int = 1) -> claims.Claimed:
        """Lease the next items that are due for a target and still hold at ``as_of`` (default: now)."""
        with self.transaction() as connection:
            now = self.clock()
            return claims.claim(connection, claimer, now, as_of or now, limit)

    def sweep(self, target: str, as_of: datetime) -> dict[str, int]:
        """Before a delivery: lost leases become doubts, and what is no longer true is not sent."""
        with self.transaction() as connection:
            now = self.clock()
            return {
                "recovered": claims.recover(connection, target, now),
                "expired": claims.expire(connection, target, as_of, now),
            }

    def next_due(self, target: str) -> datetime | None:
        """When the first waiting item of a target is due."""
        with self.transaction() as connection:
            return claims.next_due(connection, target)

    def open_count(self, target: str) -> int:
        """How many items of a target still need work."""
        with self.transaction() as connection:
            mine = (outbox.c.target == target) & outbox.c.state.in_(OPEN)
            return int(connection.execute(select(func.count()).select_from(outbox).where(mine)).scalar_one())

    def status(self) -> dict[str, Any]:
        """Counts by state, in all and by target, dead letters by reason, and the breakers."""
        with self.transaction() as connection:
            by_state = select(outbox.c.target, outbox.c.state, func.count()).group_by(outbox.c.target, outbox.c.state)
            counts = [(t, s, n) for t, s, n in connection.execute(by_state)]
            dead = select(outbox.c.reason, func.count()).where(outbox.c.state == State.DEAD).group_by(outbox.c.reason)
            oldest = select(func.min(outbox.c.created_at)).where(outbox.c.state.in_(OPEN))
            targets = {row.target: _target(row) for row in connection.execute(select(target_state))}
            for target, state, number in counts:
                targets.setdefault(target, {}).setdefault("states", {})[state] = number
            return {
                "predictions": connection.execute(select(func.count()).select_from(prediction)).scalar_one(),
                "states": {str(s): sum(n for _, state, n in counts if state == s) for s in State},
                "dead_letters": dict(connection.execute(dead).tuples().all()),
                "oldest_open": _text(connection.execute(oldest).scalar_one()),
                "recalls": [_recall(row) for row in recalls(connection)],
                "targets": targets,
            }

    def resources(self) -> Iterator[tuple[int, list[Json]]]:
        """(id, resources with their stand-ins) of every content, oldest first."""
        with self.transaction() as connection:
            for row in connection.execute(select(prediction.c.id, prediction.c.payload).order_by(prediction.c.id)):
                yield row.id, Content.read(row.payload).resources

    def recall(
        self, model: str, version: str, reason: str, *, site: Site = DEFAULT_SITE, dry_run: bool = False
    ) -> Recalled:
        """Withdraw what a model version said, at every target. Again: adds what is not yet withdrawn.

        Args:
            dry_run: only count what would be done.
        """
        with self._engine.connect() as connection:
            done = recall_version(connection, model, version, reason, site, self.clock())
            if not dry_run:
                connection.commit()
            return done

    def recall_proved(self, model: str, version: str, proof: Json) -> None:
        """Keep what the targets were seen to hold of a recalled version."""
        with self.transaction() as connection:
            remember_proof(connection, model, version, proof, self.clock())

    def mitigate(self, prediction_id: str, mitigation: Json, why: str, *, site: Site = DEFAULT_SITE) -> bool:
        """Add what a person did about a result; False when there is nothing to add it to."""
        with self.transaction() as connection:
            return mitigate(connection, prediction_id, mitigation, why, site, self.clock())

    def dead_letters(self) -> list[Json]:
        """What someone must look at, oldest first; no patient's identity in it."""
        with self.transaction() as connection:
            rows = [row._asdict() for row in dead_letters.letters(connection)]
        return [row | {"created_at": _text(row["created_at"])} for row in rows]

    def dead_letter(self, item_id: int) -> Json:
        """The resource of a dead letter, with its stand-ins, to be corrected."""
        with self.transaction() as connection:
            return dead_letters.content_of(connection, item_id).resource

    def requeue(self, ids: Iterable[int] | None = None) -> int:
        """Put dead items back, once their cause is gone; a content that has a newer one stays. Returns how many.

        Args:
            ids: of the items, as ``dead_letters`` gives them; None for all but those that break our rules.
        """
        with self.transaction() as connection:
            return dead_letters.requeue(connection, ids, self.clock())

    def correct(self, item_id: int, resource: Json, *, site: Site = DEFAULT_SITE) -> None:
        """Put a dead item back with its resource as a person corrected it, for its target alone."""
        with self.transaction() as connection:
            dead_letters.replace_content(connection, item_id, resource, site, self.clock())

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def open_outbox(url: str | Path, *, clock: Clock = utc_now) -> Outbox:
    """The outbox at a SQLAlchemy URL or in a SQLite file, made when it is not there.

    Raises:
        TerminalError: the database cannot be opened.
    """
    parsed = make_url(f"sqlite:///{url}" if isinstance(url, Path) else url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        path = Path(str(parsed.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    try:
        engine = create_engine(parsed)
        if parsed.get_backend_name() == "sqlite":
            _make_sqlite_transactional(engine)
        metadata.create_all(engine)
        _require_this_version(engine, parsed)
    except SQLAlchemyError as error:
        raise TerminalError(
            f"the outbox cannot be opened: {type(error).__name__}",
            looked=parsed.render_as_string(hide_password=True),
            do="check the setting outbox_url, and that the folder or the database may be written to",
        ) from error
    return Outbox(engine, clock)


def _require_this_version(engine: Engine, url: URL) -> None:
    there = {column["name"] for column in inspect(engine).get_columns(prediction.name)}
    if not set(prediction.c.keys()) <= there:
        raise TerminalError(
            "the outbox was made by an earlier version",
            looked=url.render_as_string(hide_password=True),
            do="deliver it with that version, then give another outbox_url or move the file away",
        )


def _make_sqlite_transactional(engine: Engine) -> None:
    """Real transactions on SQLite: the driver's own begin comes too late to keep two workers apart."""

    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _target(row: Any) -> dict[str, Any]:
    return {"base_url": row.base_url, "probed_at": _text(row.probed_at), "open_until": _text(row.open_until)}


def _recall(row: Any) -> dict[str, Any]:
    asked = {"model": row.model, "version": row.model_version, "reason": row.reason, "requested_by": row.requested_by}
    return asked | {"created_at": _text(row.created_at), "proved_at": _text(row.proved_at)}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
