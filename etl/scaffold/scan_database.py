"""Look at a PostgreSQL schema: tables, columns, primary keys from its catalogue; a bounded sample of the rows."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etl.readers.database import open_database
from etl.scaffold.scan import SAMPLE_ROWS, SECONDS, Scan, ScannedTable, table_of
from passerelle.errors import SourceError

if TYPE_CHECKING:
    import psycopg

SYSTEM = ("information_schema", "pg_catalog", "pg_toast")
TYPES = {
    "smallint": "bigint", "integer": "bigint", "bigint": "bigint", "numeric": "double", "real": "double",
    "double precision": "double", "boolean": "boolean", "date": "date", "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp",
}  # fmt: skip


def scan_database(dsn: str, schema: str | None = None, progress: Callable[[str], None] = lambda _: None) -> Scan:
    """Every table and view of a schema that the account may read.

    Args:
        schema: None takes the one schema that holds tables.

    Raises: SourceError: no table, or several schemas and none named.
    """
    unread: dict[str, str] = {}
    with open_database(dsn) as connection:
        connection.execute(f"SET statement_timeout = {int(SECONDS * 4 * 1000)}")
        chosen = schema or _only_schema(connection)
        tables = []
        for relation, rows in _relations(connection, chosen):
            progress(f"looking at {chosen}.{relation}")
            scanned = _scan_relation(connection, chosen, relation, rows)
            if isinstance(scanned, str):
                unread[relation] = scanned
            else:
                tables.append(scanned)
    if not tables:
        raise SourceError(
            f"schema {chosen} holds no table that this account may read",
            looked=", ".join(f"{name} ({why})" for name, why in unread.items()) or "pg_catalog",
            do="check the schema (--schema) and the rights of the account",
        )
    return Scan("postgresql", tables, schema=chosen, unread=unread)


def _only_schema(connection: "psycopg.Connection") -> str:
    found = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema <> ALL (%s) ORDER BY 1",
            (list(SYSTEM),),
        )
    ]
    if len(found) != 1:
        raise SourceError(
            f"the database has {len(found)} schemas with tables",
            looked=", ".join(found) or "none that this account sees",
            do="name one: --schema NAME",
        )
    return str(found[0])


def _relations(connection: "psycopg.Connection", schema: str) -> list[tuple[str, int]]:
    """Relations and how many rows the planner thinks they have."""
    query = """
        SELECT c.relname, greatest(c.reltuples, 0)::bigint
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
    """
    return [(str(name), int(rows)) for name, rows in connection.execute(query, (schema,))]


def _scan_relation(connection: "psycopg.Connection", schema: str, relation: str, rows: int) -> ScannedTable | str:
    import psycopg
    from psycopg import sql

    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (schema, relation),
    ).fetchall()
    key = _primary_key(connection, schema, relation)
    cast = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c, _ in columns)
    big = rows > SAMPLE_ROWS * 2 and bool(key)
    # A view has no pages to sample: its first rows must do.
    share = (
        sql.SQL(" TABLESAMPLE SYSTEM ({})").format(sql.Literal(min(100.0, SAMPLE_ROWS * 150.0 / rows)))
        if big
        else sql.SQL("")
    )
    query = sql.SQL("SELECT {} FROM {}{} LIMIT {}").format(
        cast, sql.Identifier(schema, relation), share, sql.Literal(SAMPLE_ROWS + (0 if big else 1))
    )
    try:
        with connection.transaction(), connection.cursor(name="passerelle_scan") as cursor:
            cursor.itersize = 2_000
            cursor.execute(query)
            texts = ([_text(v) for v in row] for row in cursor)
            table = table_of(_table_name(relation), relation, [c for c, _ in columns], texts)
    except psycopg.errors.QueryCanceled:
        return "its rows did not come in time: a view that computes? Sample it by hand"
    except psycopg.errors.InsufficientPrivilege:
        return "this account may not read it"
    if big or table.rows > SAMPLE_ROWS:
        table.total = None
    table.primary_key = key
    for column, (_, data_type) in zip(table.columns, columns, strict=True):
        column.declared_type = TYPES.get(data_type, "string")
    return table


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _table_name(relation: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", relation.lower()).strip("_") or "table"
    return f"t_{name}" if name[0].isdigit() else name


def _primary_key(connection: "psycopg.Connection", schema: str, relation: str) -> tuple[str, ...]:
    query = """
        SELECT a.attname FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) ON true
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE n.nspname = %s AND c.relname = %s AND i.indisprimary ORDER BY k.place
    """
    return tuple(str(row[0]) for row in connection.execute(query, (schema, relation)))
