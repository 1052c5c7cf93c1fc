"""What a database holds of a lake: the version of each table that was published, in a schema that no role reads."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from omop.lake import VIEWS, Lake
from omop.publication import schemas
from omop.publication.ddl import quote
from omop.snapshot import Snapshot, path_of

if TYPE_CHECKING:
    from psycopg import Connection

OPS = "ops"
Columns = Mapping[str, Mapping[str, str]]  # table or view → column → type
_TABLE = f"{quote(OPS)}.{quote('publication')}"


def write_record(connection: "Connection", lake: Lake, snapshot: Snapshot, columns: Columns) -> None:
    """Note the versions of a snapshot, in the transaction that shows it to readers.

    Args:
        columns: of each table and view that is published.
    """
    schemas.refuse_foreign(connection, OPS)
    if not schemas.exists(connection, OPS):
        schemas.create(connection, OPS, "what was published")
    connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")
    connection.execute(
        f"CREATE TABLE {_TABLE} (name text PRIMARY KEY, version bigint NOT NULL, delta_id text NOT NULL, "
        "snapshot_id text NOT NULL, columns text NOT NULL)"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_TABLE} VALUES (%s, %s, %s, %s, %s)",
            [
                (name, version, _id_of(lake, name), snapshot.run_id, ",".join(columns[name]))
                for name, version in snapshot.versions.items()
                if name in columns
            ],
        )


def read_record(connection: "Connection", lake: Lake, columns: Columns) -> dict[str, int] | None:
    """Table or view → version that the database holds.

    None where that cannot be told: nothing of this lake was published, another release published other columns, or
    somebody installed views by hand.
    """
    row = connection.execute(
        "SELECT to_regclass(%s), to_regnamespace('omop'), to_regclass(%s)", (_TABLE, f"{VIEWS}.contract")
    ).fetchone()
    if row is None or None in row:
        return None
    shown = connection.execute(f"SELECT snapshot_id FROM {quote(VIEWS)}.contract").fetchone()
    rows = connection.execute(f"SELECT name, version, delta_id, snapshot_id, columns FROM {_TABLE}").fetchall()
    for name, _, delta_id, snapshot_id, names in rows:
        if (_id_of(lake, name), (snapshot_id,), ",".join(columns.get(name, ()))) != (delta_id, shown, names):
            return None
    return {name: version for name, version, *_ in rows}


def _id_of(lake: Lake, name: str) -> str:
    """The identifier that a Delta table was made with."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        return str(DeltaTable(str(path_of(lake, name).resolve())).metadata().id)
    except TableNotFoundError:
        return ""
