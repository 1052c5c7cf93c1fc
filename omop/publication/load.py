"""Load whole tables into a schema that nobody reads yet: binary COPY on two connections, then indexes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import Queue
from typing import Any, TypeVar

import pyarrow.compute as pc

from omop.cdm import Table
from omop.lake import Lake
from omop.publication.ddl import add_primary_key, create_indexes, create_table, quote
from omop.publication.rows import cells
from omop.snapshot import Snapshot, dataset_of
from passerelle.errors import ReceiptError

T = TypeVar("T")

AT_ONCE = 2  # connections: the server spends most of a COPY on one core
BUCKET = "person_bucket"
SPLIT = 500_000  # rows: a table of more is copied in two halves
# * Memory of the sort of an index. No helpers: as many indexes as there are connections are made at once (four of ten
#   million measurements on two cores: 26.7 s; 44.8 s one after the other with helpers).
# * Nobody reads these tables yet, so no statement waits for the disk; the transaction that shows them does, for all.
SETTINGS = (
    "SET maintenance_work_mem = '256MB'",
    "SET max_parallel_maintenance_workers = 0",
    "SET synchronous_commit = off",
)


class Connections:
    """A few ADBC connections on which every statement commits by itself; opening one takes a tenth of a second."""

    def __init__(self, dsn: str) -> None:
        from adbc_driver_postgresql import dbapi

        self._free: Queue[Any] = Queue()
        for _ in range(AT_ONCE):
            connection = dbapi.connect(dsn, autocommit=True)
            self._free.put(connection)
            with connection.cursor() as cursor:
                for setting in SETTINGS:
                    cursor.execute(setting)

    def __enter__(self) -> "Connections":
        return self

    def __exit__(self, *_: object) -> None:
        while not self._free.empty():
            self._free.get().close()

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor of a connection that nobody else uses meanwhile."""
        connection = self._free.get()
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            self._free.put(connection)

    def at_once(self, steps: Iterable[Callable[[], T]]) -> list[T]:
        """Take steps as many at a time as there are connections; their results, in order."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(lambda step: step(), steps))


def load_tables(
    connections: Connections, lake: Lake, snapshot: Snapshot, tables: Sequence[Table], schema: str
) -> dict[str, int]:
    """Create tables of a schema, copy the rows of a snapshot into them, give them keys, indexes and statistics.

    Returns: table → rows; a table that the snapshot does not have is there and empty.

    Raises: ReceiptError: fewer or more rows arrived than the lake holds, or a primary key is there twice.
    """
    meant = {table.name: rows_of(lake, snapshot, f"omop.{table.name}") for table in tables}
    with connections.cursor() as cursor:
        for table in tables:
            cursor.execute(create_table(table, schema))
    by_size = sorted(tables, key=lambda table: -meant[table.name])
    connections.at_once(
        partial(_copy, connections, lake, snapshot, table, schema, part)
        for table in by_size
        for part in _parts(lake, snapshot, table, meant[table.name])
    )
    connections.at_once(
        partial(_index, connections, table, statement)
        for table in by_size
        for statement in create_indexes(table, schema)
    )
    arrived = connections.at_once(partial(_finish, connections, table, schema) for table in by_size)
    for table, rows in zip(by_size, arrived, strict=True):
        if rows != meant[table.name]:
            raise ReceiptError(
                f"{table.name}: {rows} rows arrived, {meant[table.name]} meant",
                looked=f"snapshot {snapshot.run_id}",
                do="publish again; what was published before is still there",
            )
    return meant


def rows_of(lake: Lake, snapshot: Snapshot, name: str) -> int:
    """Rows of a table of a snapshot (``omop.person``); 0 where it does not have it."""
    return dataset_of(lake, snapshot, name).count_rows() if name in snapshot.versions else 0


def _parts(lake: Lake, snapshot: Snapshot, table: Table, rows: int) -> list[pc.Expression | None]:
    """Conditions that divide a table; a large one is copied in two halves at once."""
    if rows < SPLIT or BUCKET not in dataset_of(lake, snapshot, f"omop.{table.name}").schema.names:
        return [None] if rows else []
    odd = pc.equal(pc.bit_wise_and(pc.field(BUCKET), 1), 1)
    return [odd, ~odd]


def _copy(
    connections: Connections, lake: Lake, snapshot: Snapshot, table: Table, schema: str, part: pc.Expression | None
) -> None:
    dataset = dataset_of(lake, snapshot, f"omop.{table.name}")
    columns = cells({column.name: column.type for column in table.columns}, dataset)
    reader = dataset.scanner(columns=columns, filter=part).to_reader()
    with connections.cursor() as cursor:
        cursor.adbc_ingest(table.name, reader, mode="append", db_schema_name=schema)


def _index(connections: Connections, table: Table, statement: str) -> None:
    import adbc_driver_manager

    with connections.cursor() as cursor:
        try:
            cursor.execute(statement)
        except adbc_driver_manager.IntegrityError as error:
            raise ReceiptError(
                f"{table.name} holds a primary key twice",
                looked=str(error).splitlines()[0],
                do="passerelle quality: isPrimaryKey says how many; correct the mapping",
            ) from error


def _finish(connections: Connections, table: Table, schema: str) -> int:
    """The primary key, statistics; the rows that are there."""
    target = f"{quote(schema)}.{quote(table.name)}"
    with connections.cursor() as cursor:
        for statement in (*add_primary_key(table, schema), f"ANALYZE {target}"):
            cursor.execute(statement)
        cursor.execute(f"SELECT count(*) FROM {target}")
        return int(cursor.fetchone()[0])
