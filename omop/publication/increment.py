"""Bring a published database from one snapshot to the next: only rows that differ travel, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omop.lake import VIEWS, Lake
from omop.publication.changes import Comparison
from omop.publication.ddl import published_tables, quote
from omop.publication.load import Connections
from omop.publication.record import write_record
from omop.publication.rows import cells
from omop.snapshot import Snapshot, dataset_of, path_of
from omop.views.contract import views
from passerelle.errors import ReceiptError

if TYPE_CHECKING:
    from psycopg import Connection
    from pyarrow import RecordBatchReader


@dataclass(frozen=True)
class Step:
    """One table or view that has another version now."""

    name: str  # 'omop.person', 'views_v1.stays'
    columns: Mapping[str, str]
    key: tuple[str, ...]  # empty where the CDM has none: such a table travels whole
    before: int
    after: int

    @property
    def target(self) -> str:
        schema, table = self.name.split(".")
        return f"{quote(schema)}.{quote(table)}"


def plan_increment(lake: Lake, before: Mapping[str, int], snapshot: Snapshot) -> list[Step] | None:
    """What has to travel; None where an increment cannot do it: then everything is loaded.

    It cannot where a table appeared or went, or lost its old files.
    """
    keys, columns = keys_and_columns()
    after = {name: version for name, version in snapshot.versions.items() if name in columns}
    if set(after) != {name for name in before if name in columns}:
        return None
    steps = []
    for name, version in after.items():
        if version == before[name]:
            continue
        if not _still_there(lake, name, before[name]):
            return None
        steps.append(Step(name, columns[name], keys[name], before[name], version))
    return steps


def apply_increment(
    connection: "Connection",
    connections: Connections,
    lake: Lake,
    snapshot: Snapshot,
    steps: list[Step],
    staging: str,
) -> dict[str, int]:
    """Replace what differs; readers see it when the transaction ends. Returns how many rows travelled.

    Args:
        staging: a schema of ours for the rows that travel.

    Raises: ReceiptError: a table does not hold what the lake holds; nothing was changed.
    """
    from psycopg.errors import UniqueViolation

    travelled = {}
    with Comparison() as comparison, connections.cursor() as cursor:
        for number, step in enumerate(steps):
            rows = _send(cursor, comparison, lake, snapshot, step, f"{number}", staging)
            if rows is not None:
                travelled[step.name.split(".")[1]] = rows
    try:
        with connection.transaction():
            for number, step in enumerate(steps):
                if step.name.split(".")[1] in travelled:
                    _replace(connection, lake, snapshot, step, f"{number}", staging)
            connection.execute(
                f"UPDATE {quote(VIEWS)}.contract SET snapshot_id = %s, created_at = %s",
                (snapshot.run_id, snapshot.created_at),
            )
            write_record(connection, lake, snapshot, keys_and_columns()[1])
    except UniqueViolation as error:
        raise ReceiptError(
            f"a primary key is there twice: {str(error).splitlines()[0]}",
            do="passerelle quality: isPrimaryKey says how many; what was published before is still there",
        ) from error
    for step in steps:
        if step.name.split(".")[1] in travelled:
            connection.execute(f"ANALYZE {step.target}")
    return travelled


def keys_and_columns() -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, str]]]:
    """Keys and columns of what is published."""
    keys: dict[str, tuple[str, ...]] = {f"{VIEWS}.{name}": view.key for name, view in views().items()}
    columns: dict[str, dict[str, str]] = {
        f"{VIEWS}.{name}": {c: str(facts.type) for c, facts in view.columns.items()} for name, view in views().items()
    }
    for table in published_tables():
        columns[f"omop.{table.name}"] = {column.name: column.type for column in table.columns}
        keys[f"omop.{table.name}"] = (table.primary_key,) if table.primary_key else ()
    return keys, columns


def _still_there(lake: Lake, name: str, version: int) -> bool:
    """Whether a version can be read: its commit and all of its files."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    path = path_of(lake, name)
    try:
        files = DeltaTable(str(path.resolve()), version=version).file_uris()
    except DeltaError:
        return False
    return all((path / file).exists() for file in files)


def _staged(staging: str, what: str, number: str) -> str:
    return f"{quote(staging)}.{quote(f'{what}_{number}')}"


def _send(
    cursor: Any, comparison: Comparison, lake: Lake, snapshot: Snapshot, step: Step, number: str, staging: str
) -> int | None:
    """Copy the keys that are gone and the rows that came beside the tables; None where nothing differs."""
    if not step.key:
        dataset = dataset_of(lake, snapshot, step.name)
        _stage(cursor, step, staging, "came", number, dataset.scanner(columns=cells(step.columns, dataset)).to_reader())
        return dataset.count_rows()
    gone, came = comparison.between(path_of(lake, step.name), step.before, step.after, step.columns, step.key)
    if not gone + came:
        return None
    _stage(cursor, step, staging, "gone", number, comparison.keys_gone(step.key) if gone else None)
    instants = step.name.startswith(VIEWS)
    rows = comparison.rows_came(step.columns, step.key, instants=instants) if came else None
    _stage(cursor, step, staging, "came", number, rows)
    return gone + came


def _stage(cursor: Any, step: Step, staging: str, what: str, number: str, rows: "RecordBatchReader | None") -> None:
    columns = ", ".join(quote(name) for name in (step.key if what == "gone" else step.columns))
    target = _staged(staging, what, number)
    cursor.execute(f"CREATE UNLOGGED TABLE {target} AS SELECT {columns} FROM {step.target} LIMIT 0")
    if rows is not None:
        cursor.adbc_ingest(f"{what}_{number}", rows, mode="append", db_schema_name=staging)


def _replace(connection: "Connection", lake: Lake, snapshot: Snapshot, step: Step, number: str, staging: str) -> None:
    if step.key:
        same = " AND ".join(f"t.{quote(name)} = g.{quote(name)}" for name in step.key)
        gone = _staged(staging, "gone", number)
        connection.execute(f"DELETE FROM {step.target} AS t USING {gone} AS g WHERE {same}")
    else:
        connection.execute(f"DELETE FROM {step.target}")
    came = _staged(staging, "came", number)
    connection.execute(f"INSERT INTO {step.target} SELECT * FROM {came}")
    row = connection.execute(f"SELECT count(*) FROM {step.target}").fetchone()
    meant = dataset_of(lake, snapshot, step.name).count_rows()
    if row is None or row[0] != meant:
        raise ReceiptError(
            f"{step.name} would hold {row[0] if row else 'no'} rows, {meant} meant",
            looked=f"snapshot {snapshot.run_id}",
            do="publish everything again: passerelle publish SOURCE --whole",
        )
