"""Install the views on a PostgreSQL database, ours or another's, with the role that may read them and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from omop.cdm import CDM_VERSION
from omop.lake import CONTRACT
from omop.publication import schemas
from omop.publication.ddl import quote
from omop.views.contract import View, view, views
from omop.views.render import Shape, in_order, render
from passerelle.errors import ContractError, TerminalError

if TYPE_CHECKING:
    from psycopg import Connection

VIEWS_SCHEMA = f"views_{CONTRACT}"
OMOP_READER, VIEWS_READER = "omop_reader", "views_reader"


@dataclass(frozen=True)
class Origin:
    """What the views show: written beside them, for whoever reads them."""

    snapshot_id: str
    created_at: datetime | None


def install_views(
    connection: "Connection", omop_schema: str, origin: Origin, *, schema: str = VIEWS_SCHEMA, stored: bool = False
) -> dict[str, int]:
    """Create the schema of the views over an OMOP schema, in the connection's transaction. Ours found there goes.

    Args:
        connection: psycopg connection that may create schemas.
        omop_schema: where the CDM tables are: 5.3 or 5.4, any subset, dirty keys.
        origin: written to the table ``contract`` of the new schema.
        schema: name of the new schema.
        stored: True keeps the rows (a materialised view with an index by person): for a database that changes only by
            publication. False: plain views, always as the tables are.

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
        _create(connection, view(name), omop_schema, schema, shape, stored)
    connection.execute(
        f"CREATE TABLE {quote(schema)}.contract "
        "(contract text NOT NULL, snapshot_id text NOT NULL, created_at timestamptz, cdm_version text NOT NULL)"
    )
    connection.execute(
        f"INSERT INTO {quote(schema)}.contract VALUES (%s, %s, %s, %s)",
        (CONTRACT, origin.snapshot_id, origin.created_at, CDM_VERSION),
    )
    grant_reading(connection, VIEWS_READER, schema)
    return {name: _count(connection, schema, name) for name in views()}


def shape_of(connection: "Connection", schema: str) -> Shape:
    """CDM tables of a schema → column → type, all names in lower case."""
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = %s", (schema,)
    ).fetchall()
    shape: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        shape.setdefault(table, {})[column] = kind
    return shape


def grant_reading(connection: "Connection", role: str, schema: str) -> None:
    """Let a role read a schema; the role is made (no login) where it does not exist.

    Raises: TerminalError: this user may not create roles.
    """
    from psycopg.errors import InsufficientPrivilege

    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        try:
            connection.execute(f"CREATE ROLE {role} NOLOGIN")
        except InsufficientPrivilege as error:
            raise TerminalError(
                f"the role {role} does not exist and this user may not create it",
                do=f"ask the administrator for: CREATE ROLE {role} NOLOGIN",
            ) from error
    connection.execute(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {role}")
    connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(schema)} TO {role}")


def _create(connection: "Connection", view: View, omop_schema: str, schema: str, shape: Shape, stored: bool) -> None:
    query = render(view.name, "postgres", _in_schema(omop_schema), _in_schema(schema), shape)
    kind = "MATERIALIZED VIEW" if stored else "VIEW"
    target = f"{quote(schema)}.{quote(view.name)}"
    connection.execute(f"CREATE {kind} {target} AS {query}")
    if stored:
        first = "person_id" if "person_id" in view.columns else view.key[0]
        connection.execute(f"CREATE INDEX ON {target} ({quote(first)})")
        connection.execute(f"ANALYZE {target}")
    connection.execute(f"COMMENT ON {kind} {target} IS {_text(f'{view.title}: {view.grain}')}")
    for name, column in view.columns.items():
        unit = f" [{column.unit}]" if column.unit else ""
        connection.execute(f"COMMENT ON COLUMN {target}.{quote(name)} IS {_text(column.meaning + unit)}")


def _in_schema(schema: str) -> Callable[[str], str]:
    return lambda name: f"{quote(schema)}.{quote(name)}"


def _count(connection: "Connection", schema: str, name: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {quote(schema)}.{quote(name)}").fetchone()
    assert row is not None
    return int(row[0])


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
