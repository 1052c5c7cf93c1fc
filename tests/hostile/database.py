"""The copy of a database source, from its files into PostgreSQL: as typed as its values allow."""

import psycopg
from psycopg import sql

from etl.declaration import SOURCES
from tests.hostile.mutated_copies import Copy

TYPES = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'model' AND table_name = %s"


def load(dsn: str, copy: Copy) -> None:
    """Make the tables of a copy anew. A column keeps its type unless a value is none of it: then it is text."""
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE; DROP SCHEMA IF EXISTS model CASCADE")
        connection.execute("CREATE SCHEMA public; CREATE SCHEMA model; SET search_path TO model")
        connection.execute((SOURCES / copy.name / "schema.sql").read_text(encoding="utf-8"))
        connection.execute("SET search_path TO public; SET TIME ZONE 'UTC'")
        for path in copy.paths():
            file = copy.read(path)
            types = dict(connection.execute(TYPES, (file.table,)).fetchall())
            _table(connection, file.table, file.header, file.records)
            for column in file.header:
                _typed(connection, file.table, column, types.get(column, "text"))
        connection.execute("DROP SCHEMA model CASCADE")


def _table(connection: psycopg.Connection, name: str, header: list[str], rows: list[list[str]]) -> None:
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in header)
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), columns))
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as into:
        for row in rows:
            into.write_row([value or None for value in row])


def _typed(connection: psycopg.Connection, table: str, column: str, kind: str) -> None:
    to = sql.SQL("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {column}::{kind}").format(
        table=sql.Identifier(table), column=sql.Identifier(column), kind=sql.SQL(kind)
    )
    try:
        with connection.transaction():
            connection.execute(to)
    except psycopg.DataError:
        return
