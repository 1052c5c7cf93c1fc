"""Install the views on a PostgreSQL database, ours or another's, with the role that may read them and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from omop.cdm import CDM_VERSION
from omop.lake import CONTRACT, Lake
from omop.lake import VIEWS as VIEWS_SCHEMA
from omop.publication import schemas
from omop.publication.ddl import comments_on, quote
from omop.publication.load import Connections, rows_of
from omop.publication.roles import VIEWS_READER, grant_reading
from omop.snapshot import Snapshot
from omop.views.contract import View, view, views
from omop.views.render import Shape, in_order, in_waves, render
from passerelle.errors import ContractError, ReceiptError, TerminalError

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Origin:
    """What the views show: written beside them, for whoever reads them."""

    snapshot_id: str
    created_at: datetime | None


def install_views(
    connection: "Connection", omop_schema: str, origin: Origin, *, schema: str = VIEWS_SCHEMA
) -> dict[str, int]:
    """Create views over an OMOP schema, always as its tables are, in the connection's transaction. Ours found there go.

    Args:
        connection: psycopg connection that may create schemas.
        omop_schema: where the CDM tables are: 5.3 or 5.4, any subset, dirty keys.
        origin: written to the table ``contract`` of the new schema.
        schema: name of the new schema.

    Returns: view → number of rows.

    Raises:
        ContractError: the OMOP schema holds no table.
        TerminalError: a schema of that name is not ours, or others depend on its views.
    """
    shape = shape_of(connection, omop_schema)
    if not shape:
        raise ContractError(
            f"the schema {omop_schema} holds no CDM table", looked="its columns", do="give the schema that holds person"
        )
    schemas.refuse_foreign(connection, schema)
    if schemas.exists(connection, schema) and not schemas.drop(connection, schema):
        raise TerminalError(
            f"something in this database depends on the views of {schema}",
            do="drop it, install the views, and make it again",
        )
    schemas.create(connection, schema, f"views of contract {CONTRACT}")
    for name in in_order():
        _create(connection.execute, view(name), omop_schema, schema, shape, "VIEW")
    _finish(connection, schema, origin, "VIEW")
    return {name: _count(connection, schema, name) for name in views()}


def store_views(
    connection: "Connection", connections: Connections, omop_schema: str, origin: Origin, schema: str
) -> dict[str, int]:
    """The views as tables, with an index and statistics: for a database that changes only by publication.

    Nobody reads the schema yet: each table is committed by itself, on two connections at a time.

    Returns: view → number of rows.
    """
    shape = shape_of(connection, omop_schema)
    schemas.create(connection, schema, f"views of contract {CONTRACT}")

    def store(name: str) -> None:
        with connections.cursor() as cursor:
            _create(cursor.execute, view(name), omop_schema, schema, shape, "TABLE")

    for names in in_waves(views()):
        connections.at_once(partial(store, name) for name in names)
    with connection.transaction():
        _finish(connection, schema, origin, "TABLE")
    return {name: _count(connection, schema, name) for name in views()}


def refuse_other_rows(lake: Lake, snapshot: Snapshot, found: Mapping[str, int], where: str) -> None:
    """Raises: ReceiptError: a view that another engine computed has more or fewer rows than that of the lake."""
    for name, rows in found.items():
        key = f"{VIEWS_SCHEMA}.{name}"
        if key in snapshot.versions and (meant := rows_of(lake, snapshot, key)) != rows:
            raise ReceiptError(
                f"the view {name} has {rows} rows in {where} and {meant} in the lake",
                looked=f"snapshot {snapshot.run_id}",
                do="report it: an engine reads the view otherwise; what was published before is still there",
            )


def _finish(connection: "Connection", schema: str, origin: Origin, kind: str) -> None:
    """Say what the views mean and show, and who may read them."""
    for declared in views().values():
        target = f"{quote(schema)}.{quote(declared.name)}"
        connection.execute(";\n".join(comments_on(declared, target, kind)))
    connection.execute(
        f"CREATE TABLE {quote(schema)}.contract "
        "(contract text NOT NULL, snapshot_id text NOT NULL, created_at timestamptz, cdm_version text NOT NULL)"
    )
    connection.execute(
        f"INSERT INTO {quote(schema)}.contract VALUES (%s, %s, %s, %s)",
        (CONTRACT, origin.snapshot_id, origin.created_at, CDM_VERSION),
    )
    grant_reading(connection, VIEWS_READER, schema)


def shape_of(connection: "Connection", schema: str) -> Shape:
    """CDM tables of a schema → column → type, all names in lower case."""
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = %s", (schema,)
    ).fetchall()
    shape: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        shape.setdefault(table, {})[column] = kind
    return shape


def _create(
    execute: Callable[[str], object], declared: View, omop_schema: str, schema: str, shape: Shape, kind: str
) -> None:
    query = render(declared.name, "postgres", _in_schema(omop_schema), _in_schema(schema), shape)
    target = f"{quote(schema)}.{quote(declared.name)}"
    execute(f"CREATE {kind} {target} AS {query}")
    if kind == "TABLE":
        # By person, as it is read; by key, as the next publication replaces rows.
        indexes = {("person_id",), declared.key} if "person_id" in declared.columns else {declared.key}
        for columns in sorted(indexes):
            execute(f"CREATE INDEX ON {target} ({', '.join(quote(name) for name in columns)})")
        execute(f"ANALYZE {target}")


def _in_schema(schema: str) -> Callable[[str], str]:
    return lambda name: f"{quote(schema)}.{quote(name)}"


def _count(connection: "Connection", schema: str, name: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {quote(schema)}.{quote(name)}").fetchone()
    assert row is not None
    return int(row[0])
