"""Publish a snapshot of the lake to PostgreSQL: what is new travels, readers see one snapshot or the next.

The first time, and where much has changed, everything is loaded beside, checked, and swapped in by one transaction.
Afterwards the rows that differ from what was published are replaced in one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypedDict

from omop.lake import VIEWS as VIEWS_SCHEMA
from omop.lake import Lake
from omop.publication import schemas
from omop.publication.changes import NotComparable
from omop.publication.ddl import published_tables, quote
from omop.publication.increment import Step, apply_increment, keys_and_columns, plan_increment
from omop.publication.load import Connections, load_tables, rows_of
from omop.publication.record import read_record, write_record
from omop.publication.roles import OMOP_READER, give_delivery_its_schema, grant_reading
from omop.publication.views import Origin, refuse_other_rows, store_views
from omop.snapshot import Snapshot, last_snapshot
from passerelle.errors import SourceUnreachable, WorkspaceBusy

if TYPE_CHECKING:
    from psycopg import Connection

OMOP = "omop"
NEXT = "_next"
LOCK = 5_404_001  # advisory lock: one publication at a time


class Published(TypedDict):
    """What a publication put there."""

    snapshot: str
    tables: dict[str, int]  # CDM table → rows
    views: dict[str, int]  # view → rows
    kept: list[str]  # old schemas that could not be dropped, because something of others depends on them
    travelled: dict[str, int]  # table or view → rows sent; everything, the first time


def publish(dsn: str, lake: Lake, snapshot: Snapshot | None = None, *, whole: bool = False) -> Published:
    """Put a snapshot in the schemas ``omop`` and ``views_v1``; readers see the old one or the new one, never a mixture.

    Args:
        dsn: PostgreSQL that receives it; its user may create schemas.
        lake: where the tables are.
        snapshot: which state; None: the last complete run.
        whole: load everything again, whatever was published before.

    Raises:
        SourceUnreachable: the database does not answer.
        WorkspaceBusy: another publication is at work there.
        TerminalError: a schema of that name exists and is not ours.
        ReceiptError: the database does not hold what the lake holds; what was published before is still there.
    """
    snapshot = snapshot or last_snapshot(lake)
    with _connection(dsn) as connection, _alone(connection):
        for schema in (OMOP, VIEWS_SCHEMA):
            schemas.refuse_foreign(connection, schema)
        before = None if whole else read_record(connection, lake, keys_and_columns()[1])
        plan = plan_increment(lake, before, snapshot) if before is not None else None
        if plan is not None:
            with suppress(NotComparable):
                return _increment(connection, dsn, lake, snapshot, plan)
        return _whole(connection, dsn, lake, snapshot)


def _make_room(connection: "Connection") -> None:
    """An empty schema for what is on its way; what a killed publication left goes."""
    with connection.transaction():
        for schema in (VIEWS_SCHEMA + NEXT, OMOP + NEXT):
            connection.execute(f"DROP SCHEMA IF EXISTS {quote(schema)} CASCADE")
        schemas.create(connection, OMOP + NEXT, "OMOP CDM, replaced by each publication")


def _whole(connection: "Connection", dsn: str, lake: Lake, snapshot: Snapshot) -> Published:
    _make_room(connection)
    with Connections(dsn) as connections:
        tables = load_tables(connections, lake, snapshot, published_tables(), OMOP + NEXT)
        origin = Origin(snapshot.run_id, snapshot.created_at)
        views = store_views(connection, connections, OMOP + NEXT, origin, VIEWS_SCHEMA + NEXT)
    refuse_other_rows(lake, snapshot, views, "PostgreSQL")
    with connection.transaction():
        grant_reading(connection, OMOP_READER, OMOP + NEXT)
        give_delivery_its_schema(connection)
        for schema in (VIEWS_SCHEMA, OMOP):  # a rename waits for no reader
            schemas.set_aside(connection, schema)
            connection.execute(f"ALTER SCHEMA {quote(schema + NEXT)} RENAME TO {quote(schema)}")
        write_record(connection, lake, snapshot, keys_and_columns()[1])
    kept = [schema for schema in schemas.replaced(connection) if not schemas.drop(connection, schema)]
    return Published(snapshot=snapshot.run_id, tables=tables, views=views, kept=kept, travelled=tables | views)


def _increment(connection: "Connection", dsn: str, lake: Lake, snapshot: Snapshot, plan: list[Step]) -> Published:
    _make_room(connection)
    with Connections(dsn) as connections:
        travelled = apply_increment(connection, connections, lake, snapshot, plan, OMOP + NEXT)
    connection.execute(f"DROP SCHEMA {quote(OMOP + NEXT)} CASCADE")
    tables = {table.name: rows_of(lake, snapshot, f"omop.{table.name}") for table in published_tables()}
    names = [name.removeprefix(f"{VIEWS_SCHEMA}.") for name in snapshot.versions if name.startswith(f"{VIEWS_SCHEMA}.")]
    views = {name: rows_of(lake, snapshot, f"{VIEWS_SCHEMA}.{name}") for name in names}
    return Published(snapshot=snapshot.run_id, tables=tables, views=views, kept=[], travelled=travelled)


@contextmanager
def _connection(dsn: str) -> Iterator["Connection"]:
    import psycopg

    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise SourceUnreachable("the warehouse does not answer", do="check host, port, user and password") from error
    with connection:
        yield connection


@contextmanager
def _alone(connection: "Connection") -> Iterator[None]:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    if row is None or not row[0]:
        raise WorkspaceBusy("another publication to this database is at work", do="wait until it ends, then try again")
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
