"""Publish a snapshot of the lake to PostgreSQL: loaded beside, checked, then swapped in by one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict

import pyarrow as pa
import pyarrow.compute as pc

from omop.cdm import Table
from omop.lake import CONTRACT, Lake
from omop.publication import schemas
from omop.publication.ddl import create_keys, create_table, published_tables, quote
from omop.publication.views import OMOP_READER, VIEWS_SCHEMA, Origin, grant_reading, install_views
from omop.snapshot import Snapshot, dataset_of, last_snapshot
from omop.views.contract import ARROW_TYPES
from passerelle.errors import ReceiptError, SourceUnreachable, WorkspaceBusy

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


def publish(dsn: str, lake: Lake, snapshot: Snapshot | None = None) -> Published:
    """Put a snapshot in the schemas ``omop`` and ``views_v1``; readers see the old one or the new one, never a mixture.

    Args:
        dsn: PostgreSQL that receives it; its user may create schemas.
        lake: where the tables are.
        snapshot: which state; None: the last complete run.

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
        with connection.transaction():
            _create_empty(connection)
        tables = {table.name: _load(dsn, lake, snapshot, table) for table in published_tables()}
        with connection.transaction():
            _finish_tables(connection, tables)
            origin = Origin(snapshot.run_id, snapshot.created_at)
            views = install_views(connection, OMOP + NEXT, origin, schema=VIEWS_SCHEMA + NEXT, stored=True)
            _same_views(lake, snapshot, views)
        _swap(connection)
        kept = [schema for schema in schemas.replaced(connection) if not schemas.drop(connection, schema)]
    return Published(snapshot=snapshot.run_id, tables=tables, views=views, kept=kept)


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


def _create_empty(connection: "Connection") -> None:
    for schema in (VIEWS_SCHEMA + NEXT, OMOP + NEXT):  # what a killed publication left
        connection.execute(f"DROP SCHEMA IF EXISTS {quote(schema)} CASCADE")
    schemas.create(connection, OMOP + NEXT, "OMOP CDM, replaced by each publication")
    for table in published_tables():
        connection.execute(create_table(table, OMOP + NEXT))


def _load(dsn: str, lake: Lake, snapshot: Snapshot, table: Table) -> int:
    """Copy one table; a table that the snapshot does not have stays empty.

    Raises: ReceiptError: fewer or more rows arrived than the lake holds.
    """
    name = f"{OMOP}.{table.name}"
    if name not in snapshot.versions:
        return 0
    from adbc_driver_postgresql import dbapi

    dataset = dataset_of(lake, snapshot, name)
    meant = dataset.count_rows()
    present = set(dataset.schema.names)
    columns = {column.name: _cell(column.name, column.type, present) for column in table.columns}
    reader = dataset.scanner(columns=columns).to_reader()
    with dbapi.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        if meant:
            cursor.adbc_ingest(table.name, reader, mode="append", db_schema_name=OMOP + NEXT)
        cursor.execute(f"SELECT count(*) FROM {quote(OMOP + NEXT)}.{quote(table.name)}")
        row = cursor.fetchone()
    arrived = int(row[0]) if row else 0
    if arrived != meant:
        raise ReceiptError(
            f"{table.name}: {arrived} rows arrived, {meant} meant",
            looked=f"snapshot {snapshot.run_id}, version {snapshot.versions[name]}",
            do="publish again; what was published before is still there",
        )
    return arrived


def _cell(name: str, kind: str, present: set[str]) -> pc.Expression:
    # Copied as binary: the Arrow type must be the column's exactly. Times lose their zone, which is UTC.
    arrow = pa.timestamp("us") if kind == "timestamp" else ARROW_TYPES[kind]
    if name not in present:
        return pc.scalar(None).cast(arrow)
    value = pc.field(name).cast(arrow)
    # PostgreSQL holds no NUL, with which some exports fill a field: there it is left out.
    return pc.replace_substring(value, pattern="\0", replacement="") if pa.types.is_string(arrow) else value


def _finish_tables(connection: "Connection", tables: dict[str, int]) -> None:
    from psycopg.errors import UniqueViolation

    for table in published_tables():
        try:
            for statement in create_keys(table, OMOP + NEXT):
                connection.execute(statement)
        except UniqueViolation as error:
            raise ReceiptError(
                f"{table.name} holds a primary key twice",
                looked=f"{tables[table.name]} rows",
                do="passerelle quality: isPrimaryKey says how many; correct the mapping",
            ) from error
        connection.execute(f"ANALYZE {quote(OMOP + NEXT)}.{quote(table.name)}")
    grant_reading(connection, OMOP_READER, OMOP + NEXT)


def _same_views(lake: Lake, snapshot: Snapshot, views: dict[str, int]) -> None:
    """The views that PostgreSQL computes have as many rows as those of the lake."""
    for name, rows in views.items():
        key = f"views_{CONTRACT}.{name}"
        if key in snapshot.versions and (meant := dataset_of(lake, snapshot, key).count_rows()) != rows:
            raise ReceiptError(
                f"the view {name} has {rows} rows in PostgreSQL and {meant} in the lake",
                looked=f"snapshot {snapshot.run_id}",
                do="report it: an engine reads the view otherwise; what was published before is still there",
            )


def _swap(connection: "Connection") -> None:
    """Rename current to old and new to current, in one transaction: a rename waits for no reader."""
    with connection.transaction():
        for schema in (VIEWS_SCHEMA, OMOP):
            schemas.set_aside(connection, schema)
            connection.execute(f"ALTER SCHEMA {quote(schema + NEXT)} RENAME TO {quote(schema)}")
