"""Load whole tables into a schema that nobody reads yet: binary COPY, two connections at a time, keys afterwards."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import pyarrow.compute as pc

from omop.cdm import Table
from omop.lake import Lake
from omop.publication.ddl import create_keys, create_table, quote
from omop.publication.rows import cells
from omop.snapshot import Snapshot, dataset_of
from passerelle.errors import ReceiptError

T = TypeVar("T")

AT_ONCE = 2  # connections: the server spends most of a COPY on one core
BUCKET = "person_bucket"
SPLIT = 500_000  # rows: a table of more is copied in two halves
# Memory of one sort of an index, and its helpers, for this session.
FOR_KEYS = ("SET maintenance_work_mem = '512MB'", "SET max_parallel_maintenance_workers = 2")


def load_table(dsn: str, lake: Lake, snapshot: Snapshot, table: Table, schema: str) -> int:
    """Create a table of a schema, copy the rows of a snapshot into it, give it keys, indexes and statistics.

    Returns: its rows; 0, and an empty table, where the snapshot does not have it.

    Raises: ReceiptError: fewer or more rows arrived than the lake holds, or a primary key is there twice.
    """
    target = f"{quote(schema)}.{quote(table.name)}"
    with connected(dsn) as connection:
        _execute(connection, create_table(table, schema))
        meant = _copy(dsn, lake, snapshot, table, schema)
        for statement in (*FOR_KEYS, *create_keys(table, schema), f"ANALYZE {target}"):
            _make(connection, statement, table.name, meant)
        arrived = int(_execute(connection, f"SELECT count(*) FROM {target}"))
    if arrived != meant:
        raise ReceiptError(
            f"{table.name}: {arrived} rows arrived, {meant} meant",
            looked=f"snapshot {snapshot.run_id}",
            do="publish again; what was published before is still there",
        )
    return arrived


def at_once(steps: Iterable[Callable[[], T]]) -> list[T]:
    """Take steps on several connections; their results, in order. Raises the error of the first that fails."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda step: step(), steps))


@contextmanager
def connected(dsn: str) -> Iterator[Any]:
    """An ADBC connection on which every statement commits by itself."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(dsn, autocommit=True) as connection:
        yield connection


def _copy(dsn: str, lake: Lake, snapshot: Snapshot, table: Table, schema: str) -> int:
    name = f"omop.{table.name}"
    if name not in snapshot.versions:
        return 0
    dataset = dataset_of(lake, snapshot, name)
    rows = dataset.count_rows()
    columns = cells({column.name: column.type for column in table.columns}, dataset)

    def copy(part: pc.Expression | None) -> None:
        reader = dataset.scanner(columns=columns, filter=part).to_reader()
        with connected(dsn) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(table.name, reader, mode="append", db_schema_name=schema)

    if rows:
        at_once(partial(copy, part) for part in _parts(dataset.schema.names, rows))
    return rows


def _parts(columns: list[str], rows: int) -> list[pc.Expression | None]:
    if rows < SPLIT or BUCKET not in columns:
        return [None]
    odd = pc.equal(pc.bit_wise_and(pc.field(BUCKET), 1), 1)
    return [odd, ~odd]


def _make(connection: Any, statement: str, table: str, rows: int) -> None:
    import adbc_driver_manager

    try:
        _execute(connection, statement)
    except adbc_driver_manager.IntegrityError as error:
        raise ReceiptError(
            f"{table} holds a primary key twice",
            looked=f"{rows} rows",
            do="passerelle quality: isPrimaryKey says how many; correct the mapping",
        ) from error


def _execute(connection: Any, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if statement.startswith("SELECT") else None
    return row[0] if row else None
