"""Schemas of a publication: which are ours, and how they go without taking what others built on them."""

from itertools import count
from typing import TYPE_CHECKING

from omop.publication.ddl import quote
from passerelle.errors import TerminalError

if TYPE_CHECKING:
    from psycopg import Connection

MARK = "passerelle:"  # a schema with this comment is ours to replace; any other is not
OLD = "_old_"
_DROP = {"r": "TABLE", "m": "MATERIALIZED VIEW", "v": "VIEW"}


def exists(connection: "Connection", schema: str) -> bool:
    """Whether there is a schema of that name."""
    return connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is not None


def create(connection: "Connection", schema: str, comment: str) -> None:
    """Make an empty schema and mark it as ours."""
    connection.execute(f"CREATE SCHEMA {quote(schema)}")
    connection.execute(f"COMMENT ON SCHEMA {quote(schema)} IS '{MARK} {comment}'")


def refuse_foreign(connection: "Connection", schema: str) -> None:
    """Raises: TerminalError: the schema holds something and does not bear our mark."""
    row = connection.execute(
        "SELECT obj_description(n.oid, 'pg_namespace'), (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid) "
        "FROM pg_namespace n WHERE nspname = %s",
        (schema,),
    ).fetchone()
    if row is not None and row[1] and not str(row[0] or "").startswith(MARK):
        raise TerminalError(
            f"the schema {schema} exists and was not made by passerelle",
            looked=f"{row[1]} tables, views and indexes there",
            do="use another database, or rename that schema",
        )


def set_aside(connection: "Connection", schema: str) -> None:
    """Rename a schema, where there is one, to the first free name among ``<schema>_old_1``, ``_old_2``…"""
    if exists(connection, schema):
        number = next(n for n in count(1) if not exists(connection, f"{schema}{OLD}{n}"))
        connection.execute(f"ALTER SCHEMA {quote(schema)} RENAME TO {quote(f'{schema}{OLD}{number}')}")


def replaced(connection: "Connection") -> list[str]:
    """Schemas of ours that were set aside, views before the tables they read."""
    rows = connection.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname ~ %s AND obj_description(oid, 'pg_namespace') LIKE %s "
        "ORDER BY nspname LIKE 'omop%%', nspname",
        (f"{OLD}[0-9]+$", f"{MARK}%"),
    ).fetchall()
    return [row[0] for row in rows]


def drop(connection: "Connection", schema: str) -> bool:
    """Drop a schema of ours; False, and nothing dropped, where an object of others depends on one of its tables."""
    from psycopg.errors import DependentObjectsStillExist

    rows = connection.execute(
        "SELECT relname, relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname = %s AND relkind IN ('r', 'm', 'v') ORDER BY relkind = 'r', relname",
        (schema,),
    ).fetchall()
    try:
        with connection.transaction():
            for name, kind in rows:
                connection.execute(f"DROP {_DROP[kind]} {quote(schema)}.{quote(name)}")
            connection.execute(f"DROP SCHEMA {quote(schema)}")
    except DependentObjectsStillExist:
        return False
    return True
