"""The tables of the outbox, the same on SQLite and PostgreSQL. No identity of a patient is in any of them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.types import TypeDecorator

from fhir_adapters.outbox.states import IN_FLIGHT


class Moment(TypeDecorator):
    """A UTC instant as text with a fixed width: sorts as time, and reads the same in every database."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        """To text."""
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only on INTEGER
metadata = MetaData()

# One row for each content that a prediction has had: the resource as every target is to get it, with stand-ins.
prediction = Table(
    "prediction",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prediction_id", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", String(10), nullable=False),  # said by the model, retracted, judged by a person
    Column("model", String(100), nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("model_device", String(36), nullable=False),
    Column("person_id", BigInteger),  # null: of a cohort
    Column("visit_occurrence_id", BigInteger),
    Column("content", Text),  # the Prediction, as JSON; null: what people did to it
    Column("content_sha256", String(64), nullable=False),  # of what the model said last
    Column("resource_type", String(40), nullable=False),
    Column("resource_id", String(64), nullable=False),
    Column("payload", Text, nullable=False),  # {"resource": …, "supports": […], "provenance": …} with stand-ins
    Column("payload_sha256", String(64), nullable=False),
    Column("not_after", Moment),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("prediction_id", "revision"),
    Index("prediction_of_person", "resource_type", "person_id"),
    Index("prediction_of_resource", "resource_type", "resource_id"),
    Index("prediction_of_device", "model_device"),
    Index("prediction_by_time", "created_at", "id"),
)

# One row for each content and target: where it is on its way.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("target", String(100), nullable=False),
    Column("key", String(36), nullable=False),  # what is current at most once at a target, and has one writer
    Column("seq", Integer, nullable=False),  # revision of the prediction: contents of one key, in order
    Column("kind", String(10), nullable=False),
    Column("prediction", Id, ForeignKey("prediction.id"), nullable=False, index=True),
    Column("payload", Text),  # as a person corrected it for this target; null: as predicted
    Column("payload_sha256", String(64), nullable=False),
    Column("model_device", String(36), nullable=False),
    Column("not_after", Moment),
    Column("state", String(10), nullable=False),
    Column("reason", String(200)),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Moment, nullable=False),
    Column("lease_owner", String(120)),
    Column("lease_until", Moment),
    Column("fence", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("settled_at", Moment),
    UniqueConstraint("target", "key", "seq"),
    Index("outbox_due", "target", "state", "next_at", "id"),
)
_held = outbox.c.state.in_(IN_FLIGHT)
# The database itself holds "one writer per key".
Index("outbox_one_writer", outbox.c.target, outbox.c.key, unique=True, sqlite_where=_held, postgresql_where=_held)

delivery_ledger = Table(
    "delivery_ledger",
    metadata,
    Column("id", Id, primary_key=True),
    Column("outbox_id", Id, ForeignKey("outbox.id"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("http_status", Integer),  # null: no answer came
    Column("entry_status", Integer),
    Column("answer", String(20), nullable=False),  # how we classed it
    Column("server_id", String(64)),
    Column("version_id", String(64)),
    Column("etag", String(80)),
    Column("operation_outcome", Text),  # without the identities that we sent
    Column("t_send", Moment, nullable=False),
    Column("t_ack", Moment, nullable=False),
)

key_state = Table(
    "key_state",
    metadata,
    Column("target", String(100), primary_key=True),
    Column("key", String(60), primary_key=True),  # of the outbox, or Device/<id>, Group/<id>
    Column("server_id", String(64)),
    Column("version_id", String(64)),
    Column("last_acked_seq", Integer, nullable=False),
    Column("last_hash", String(64), nullable=False),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Id, primary_key=True),
    Column("outbox_id", Id, ForeignKey("outbox.id"), nullable=False, index=True),
    Column("reason", String(200), nullable=False),
    Column("operation_outcome", Text),
    Column("created_at", Moment, nullable=False),
    Column("replayed_at", Moment),
)

target_state = Table(
    "target_state",
    metadata,
    Column("target", String(100), primary_key=True),
    Column("base_url", Text, nullable=False),
    Column("capability", Text, nullable=False),  # what it says of itself, as JSON
    Column("trial", Text),  # what it was seen to do, as JSON; null: never tried
    Column("probed_at", Moment, nullable=False),
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("open_until", Moment),  # the breaker: nothing is sent before
)

recall = Table(
    "recall",
    metadata,
    Column("id", Id, primary_key=True),
    Column("model", String(100), nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("reason", Text, nullable=False),  # French: it is shown at the target
    Column("requested_by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("proved_at", Moment),  # when every target was read back
    Column("proof", Text),  # what was found there, as JSON
    UniqueConstraint("model", "model_version"),
)
