"""PostgreSQL: each table as the CSV stream of one COPY, in one snapshot of the whole database."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pv

from etl.declaration import Source, SourceTable
from passerelle.errors import SourceError, SourceUnreachable, UsageError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

ENOUGH_BYTES = 1 << 20  # of a COPY, before they are handed on
COUNTED = pa.decimal128(38, 0)  # what engine and database both can sum numbers to


@contextmanager
def open_database(dsn: str) -> Iterator["psycopg.Connection"]:
    """A read-only connection in which every table is seen at the same instant.

    Raises: SourceUnreachable: no answer; SourceError: the database refuses the account; UsageError: no address.
    """
    import psycopg

    try:
        connection = psycopg.connect(dsn, connect_timeout=10, options="-c TimeZone=UTC -c DateStyle=ISO")
    except psycopg.OperationalError as error:
        raise _refusal(error) from error
    except psycopg.ProgrammingError as error:  # a folder, or a URL that is written wrongly; it may hold a password
        raise UsageError(
            "what was given is not the address of a database", do="give --input postgresql://user@host/database"
        ) from error
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def _refusal(error: Exception) -> SourceError | SourceUnreachable:
    reason = str(error).strip().splitlines()[-1]
    where = reason.partition("failed:")[0].removeprefix("connection to ").strip()
    refused = any(word in reason for word in ("password", "authentication", "no pg_hba.conf entry", "does not exist"))
    if refused:
        return SourceError(
            "the source database refuses the connection: " + reason.partition("FATAL:")[2].strip(),
            looked=where,
            do="check user, password and database in PASSERELLE_SOURCE_DSN (or --input)",
        )
    return SourceUnreachable(
        "the source database does not answer", looked=reason, do="check host, port and network, then try again"
    )


class CopyStream(io.RawIOBase):
    """The blocks of a COPY as a readable stream."""

    def __init__(self, blocks: Iterator[bytes | bytearray | memoryview]) -> None:
        self._blocks = blocks
        self._pending = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if not self._pending:
            self._pending = memoryview(b"".join(self._some()))
        taken = self._pending[: len(buffer)]
        self._pending = self._pending[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def _some(self) -> Iterator[bytes | bytearray | memoryview]:
        """The next blocks, some thousand at once: the server makes one of each row."""
        size = 0
        for block in self._blocks:
            yield block
            size += len(block)
            if size >= ENOUGH_BYTES:
                return


@contextmanager
def open_relation(
    connection: "psycopg.Connection",
    source: Source,
    name: str,
    table: SourceTable,
    since: datetime | None = None,
    *,
    only_keys: bool = False,
    within: tuple[str, int, list[int]] | None = None,
) -> Iterator[io.RawIOBase]:
    """The rows of one relation as UTF-8 CSV with a header.

    Args:
        since: only rows whose change column is null, or bears this moment or a later one (UTC, without a zone).
        only_keys: an undeclared column is left out; else it is read, so that it is noticed.
        within: column of the key, size of a block, first keys of the blocks to read; None: all.

    Raises: SourceError: the relation is missing or has other columns than declared.
    """
    import psycopg
    from psycopg import sql

    relation = table.relation or name
    there = {
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (source.schema_name, relation),
        )
    }
    if not there:
        raise SourceError(
            f"{source.name}.{name}: {source.schema_name}.{relation} is missing or hidden from this account",
            looked="information_schema.columns",
            do="check the schema, and that the account may read it",
        )
    columns = [c for c in table.columns if c in there]
    columns += [] if only_keys else sorted(there - set(table.columns))
    query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(source.schema_name, relation),
        _changed_since(source, table, since) if within is None else _in_blocks(*within),
    )
    try:
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            yield CopyStream(iter(copy))
    except psycopg.Error as error:
        raise _stopped(error, f"{source.name}.{name} ({source.schema_name}.{relation})") from error


def _changed_since(source: Source, table: SourceTable, since: datetime | None) -> "sql.Composable":
    """A moment without a zone in the database is local time of the source, as everywhere in its declaration."""
    from psycopg import sql

    if since is None or table.change_column is None:
        return sql.SQL("")
    column, moment = sql.Identifier(table.change_column), since.replace(tzinfo=UTC)
    return sql.SQL(" WHERE {column} IS NULL OR {column} >= ({moment}::timestamptz AT TIME ZONE {zone})").format(
        column=column, moment=sql.Literal(moment.isoformat()), zone=sql.Literal(source.timezone)
    )


@dataclass(frozen=True)
class Blocks:
    """How the rows of a relation are counted: by blocks of a number in their key, or all together."""

    keys: tuple[str, ...]
    numbers: tuple[str, ...]  # those of the keys that are numbers, and no identifiers; the first one makes the blocks
    size: int


def count_blocks(
    connection: "psycopg.Connection", source: Source, name: str, table: SourceTable, blocks: Blocks
) -> pa.Table:
    """Rows of one relation now, by block: ``block`` (its first number; null: the number is), ``n``, ``_0``, ``_1``…

    Those are the rows again, and the sums of the numbers: a row sent twice does not make up for one that is gone. All
    rows are block 0 where no key is a number; ``_0`` are its different keys.

    Raises: SourceError: the account may not read it, or a key is not the number that it is declared to be.
    """
    import psycopg
    from psycopg import sql

    relation = sql.Identifier(source.schema_name, table.relation or name)
    if blocks.numbers:
        cells = [sql.SQL("count(*)"), *(sql.SQL("sum({}::bigint)").format(sql.Identifier(c)) for c in blocks.numbers)]
        block, groups = _block(blocks.numbers[0], blocks.size), sql.SQL(" GROUP BY 1")
    else:
        keys = sql.SQL(", ").join(map(sql.Identifier, blocks.keys))
        cells, block, groups = [sql.SQL("count(DISTINCT ({}))").format(keys)], sql.SQL("0"), sql.SQL("")
    named = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(cell, sql.Identifier(f"_{i}")) for i, cell in enumerate(cells)
    )
    query = sql.SQL("COPY (SELECT {} AS block, count(*) AS n, {} FROM {}{}) TO STDOUT (FORMAT csv, HEADER)").format(
        block, named, relation, groups
    )
    types = {"block": pa.int64(), "n": pa.int64(), **{f"_{i}": COUNTED for i in range(len(cells))}}
    try:
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            return pv.read_csv(
                io.BufferedReader(CopyStream(iter(copy))), convert_options=pv.ConvertOptions(column_types=types)
            )
    except psycopg.Error as error:
        raise _stopped(error, f"{source.name}.{name} ({source.schema_name}.{table.relation or name})") from error


def _block(column: str, size: int) -> "sql.Composable":
    """The first number of a row's block; around 0 lies one that is twice as wide."""
    from psycopg import sql

    number = sql.SQL("{}::bigint").format(sql.Identifier(column))
    return sql.SQL("({n} - {n} % {size})").format(n=number, size=sql.Literal(size))


def _in_blocks(column: str, size: int, blocks: list[int]) -> "sql.Composable":
    from psycopg import sql

    # Of one type with the block, the numbers are hashed; else each row is compared with each of them.
    return sql.SQL(" WHERE {} = ANY({}::bigint[])").format(_block(column, size), sql.Literal(blocks))


def _stopped(error: "psycopg.Error", where: str) -> SourceError | SourceUnreachable:
    """The server's own words are not repeated: they may quote a value."""
    import psycopg

    looked = f"{type(error).__name__}, SQLSTATE {error.sqlstate or 'none'}"
    if isinstance(error, psycopg.OperationalError):
        return SourceUnreachable(
            f"{where}: the database stopped answering", looked=looked, do="try again; nothing of it was loaded"
        )
    return SourceError(
        f"{where}: the database refuses to give its rows", looked=looked, do="check that the account may read it"
    )
