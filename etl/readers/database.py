"""PostgreSQL: each table as the CSV stream of one COPY, in one snapshot of the whole database."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl.declaration import Source, SourceTable
from passerelle.errors import SourceError, SourceUnreachable, UsageError

if TYPE_CHECKING:
    import psycopg


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
        while not self._pending:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._pending = memoryview(block)
        taken = self._pending[: len(buffer)]
        self._pending = self._pending[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@contextmanager
def open_relation(
    connection: "psycopg.Connection", source: Source, name: str, table: SourceTable
) -> Iterator[io.RawIOBase]:
    """The rows of one relation as UTF-8 CSV with a header.

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
    # All columns of the relation, so that an undeclared one is noticed rather than ignored.
    columns = [*[c for c in table.columns if c in there], *sorted(there - set(table.columns))]
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(source.schema_name, relation)
    )
    try:
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            yield CopyStream(iter(copy))
    except psycopg.Error as error:
        raise _stopped(error, f"{source.name}.{name} ({source.schema_name}.{relation})") from error


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
