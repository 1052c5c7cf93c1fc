"""What a database holds of a lake: the version of each table that was published, in a schema that no role reads."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from omop.lake import Lake
from omop.publication import schemas
from omop.publication.ddl import quote
from omop.snapshot import Snapshot, path_of

if TYPE_CHECKING:
    from psycopg import Connection

OPS = "ops"
_TABLE = f"{quote(OPS)}.{quote('publication')}"


def write_record(connection: "Connection", lake: Lake, snapshot: Snapshot) -> None:
    """Note the versions of a snapshot, in the transaction that shows it to readers."""
    schemas.refuse_foreign(connection, OPS)
    if not schemas.exists(connection, OPS):
        schemas.create(connection, OPS, "what was published")
    connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")
    connection.execute(
        f"CREATE TABLE {_TABLE} (name text PRIMARY KEY, version bigint NOT NULL, delta_id text NOT NULL)"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_TABLE} VALUES (%s, %s, %s)",
            [(name, version, _id_of(lake, name)) for name, version in _published(snapshot.versions).items()],
        )


def read_record(connection: "Connection", lake: Lake) -> dict[str, int] | None:
    """Table or view → version that the database holds; None where it holds nothing of this lake that can be told."""
    row = connection.execute("SELECT to_regclass(%s), to_regnamespace('omop')", (_TABLE,)).fetchone()
    if row is None or None in row:
        return None
    rows = connection.execute(f"SELECT name, version, delta_id FROM {_TABLE}").fetchall()
    if any(_id_of(lake, name) != delta_id for name, _, delta_id in rows):
        return None  # another workspace, or one that was made anew
    return {name: version for name, version, _ in rows}


def _published(versions: Mapping[str, int]) -> dict[str, int]:
    return {name: version for name, version in versions.items() if name.startswith(("omop.", "views_"))}


def _id_of(lake: Lake, name: str) -> str:
    """The identifier that a Delta table was made with."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        return str(DeltaTable(str(path_of(lake, name).resolve())).metadata().id)
    except TableNotFoundError:
        return ""
