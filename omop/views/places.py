"""The places that can be checked: PostgreSQL, a DuckDB file, the lake of a workspace (asked by DuckDB)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omop.lake import CONTRACT, Lake
from omop.lake import VIEWS as SCHEMA
from omop.snapshot import dataset_of, last_snapshot
from omop.views.check import Place
from omop.views.duckdb_open import open_file
from omop.views.store import DUCKDB, POSTGRES
from passerelle.errors import ContractError, SourceUnreachable

_COLUMNS = (
    "SELECT column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = '{}' AND table_name = '{}' ORDER BY ordinal_position"
)
_TABLES = (
    "SELECT lower(table_name) FROM information_schema.tables "
    "WHERE table_schema NOT IN ('{}', 'pg_catalog', 'information_schema')"
)


@contextmanager
def open_place(location: Path | str) -> Iterator[Place]:
    """Open a place to be checked: a PostgreSQL URL, a ``….duckdb`` file, or a workspace.

    Raises:
        ContractError: it holds no views at all.
        SourceUnreachable: the database does not answer.
    """
    if str(location).startswith(POSTGRES):
        import psycopg

        try:
            server = psycopg.connect(str(location), autocommit=True)
        except psycopg.OperationalError as error:
            raise SourceUnreachable("the database does not answer", do="check host, port and user") from error
        with server:
            yield _Database(lambda query: server.execute(query).fetchall(), psycopg.Error)
        return
    import duckdb

    if str(location).endswith(DUCKDB):
        with open_file(Path(location), read_only=True) as file:
            yield _Database(lambda query: file.sql(query).fetchall(), duckdb.Error)
        return
    with duckdb.connect() as memory:
        yield _Lake(memory, Lake(Path(location)))


class _Database(Place):
    """A database with a schema of views."""

    def __init__(self, ask: Any, errors: type[Exception]) -> None:
        self._ask, self._errors = ask, errors

    def contract(self) -> str:
        try:
            return str(self._ask(f"SELECT contract FROM {SCHEMA}.contract")[0][0])
        except self._errors as error:
            raise ContractError(
                "there are no views",
                looked=f"schema {SCHEMA}: {str(error).splitlines()[0]}",
                do="passerelle views install --on URL|DIR",
            ) from error

    def columns(self, view: str) -> Mapping[str, str]:
        return dict(self._ask(_COLUMNS.format(SCHEMA, view)))

    def relation(self, view: str) -> str:
        return f'{SCHEMA}."{view}"'

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        found: Sequence[Sequence[Any]] = self._ask(query)
        return found

    def lacking(self, tables: Sequence[str]) -> list[str]:
        there = {name for (name,) in self._ask(_TABLES.format(SCHEMA))}
        return [table for table in tables if table not in there] if there else []


class _Lake(Place):
    """The views of the last complete run of a workspace."""

    def __init__(self, connection: Any, lake: Lake) -> None:
        self._connection, self._lake, self._snapshot = connection, lake, last_snapshot(lake)
        self._connection.execute("SET TimeZone = 'UTC'")
        for name in self._snapshot.versions:
            if name.startswith(f"{SCHEMA}."):
                self._connection.register(name.replace(".", "__"), dataset_of(lake, self._snapshot, name))

    def contract(self) -> str:
        return CONTRACT

    def columns(self, view: str) -> Mapping[str, str]:
        if f"{SCHEMA}.{view}" not in self._snapshot.versions:
            return {}
        rows = self.rows(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {self.relation(view)})")
        return {str(name): str(kind) for name, kind in rows}

    def relation(self, view: str) -> str:
        return f"{SCHEMA}__{view}"

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        found: Sequence[Sequence[Any]] = self._connection.sql(query).fetchall()
        return found

    def lacking(self, tables: Sequence[str]) -> list[str]:
        names = {table: f"omop.{table}" for table in tables}
        rows = {
            table: dataset_of(self._lake, self._snapshot, name).count_rows() if name in self._snapshot.versions else 0
            for table, name in names.items()
        }
        return [table for table, n in rows.items() if not n]
