"""The views in one DuckDB file, for a researcher to take away: from a snapshot, or over OMOP tables of others."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from omop.cdm import CDM_VERSION, cdm_tables
from omop.lake import CONTRACT, Lake
from omop.lake import VIEWS as VIEWS_SCHEMA
from omop.publication.ddl import comments_on, literal, quote
from omop.publication.rows import cells
from omop.publication.views import Origin, refuse_other_rows
from omop.snapshot import Snapshot, dataset_of, last_snapshot
from omop.views.contract import views
from omop.views.duckdb_open import open_file
from omop.views.render import Shape, in_order, render
from passerelle.errors import ContractError, TerminalError

FILES = (".parquet", ".csv", ".csv.gz")


def publish_to_file(
    file: Path, lake: Lake, snapshot: Snapshot | None = None, *, with_omop: bool = False
) -> dict[str, Any]:
    """Write the views of a snapshot to a file, computed by DuckDB; the file appears when it is complete.

    Args:
        file: ``….duckdb``; one that is there is replaced, and who reads it goes on reading the old one.
        with_omop: the CDM tables too, in the schema ``omop``.

    Returns: snapshot and rows of each view.

    Raises: ReceiptError: a view has more or fewer rows than in the lake.
    """
    snapshot = snapshot or last_snapshot(lake)
    names = [name.removeprefix("omop.") for name in snapshot.versions if name.startswith("omop.")]
    with _new(file) as connection:
        shape = {}
        for name in names:
            dataset = dataset_of(lake, snapshot, f"omop.{name}")
            connection.register(f"omop__{name}", dataset)
            shape[name] = _columns_of(connection, f"omop__{name}")
            if with_omop:
                _copy(connection, name, dataset)
        rows = _create(connection, "omop__{}".format, shape, Origin(snapshot.run_id, snapshot.created_at), "TABLE")
        refuse_other_rows(lake, snapshot, rows, "DuckDB")
    return {"file": str(file), "snapshot": snapshot.run_id, "views": rows}


def _copy(connection: Any, name: str, dataset: ds.Dataset) -> None:
    """One CDM table: its own columns, without those that the lake adds."""
    columns = cells({column.name: column.type for column in cdm_tables()[name].columns}, dataset)
    connection.register("rows_of_table", dataset.scanner(columns=columns).to_reader())
    connection.execute("CREATE SCHEMA IF NOT EXISTS omop")
    connection.execute(f"CREATE TABLE omop.{quote(name)} AS SELECT * FROM rows_of_table")
    connection.unregister("rows_of_table")


def install_over_folder(folder: Path, file: Path | None = None) -> dict[str, int]:
    """Write the views of OMOP tables kept as Parquet or CSV files, one a table, to a DuckDB file.

    Args:
        file: ``….duckdb``; None: ``views_v1.duckdb`` beside the tables.

    Returns: view → rows.

    Raises: ContractError: the folder holds no CDM table.
    """
    files = {name: found for name in cdm_tables() if (found := _file_of(folder, name)) is not None}
    if not files:
        raise ContractError(
            "the folder holds no CDM table",
            looked=f"{folder}: person.parquet, person.csv…",
            do="give the folder of them",
        )
    with _new(file or folder / f"{VIEWS_SCHEMA}.duckdb") as connection:
        shape = {}
        for name, found_at in files.items():
            where = literal(str(found_at))
            # Text as text: a column that begins with empty cells would be guessed wrongly.
            read = (
                f"read_parquet({where})" if found_at.suffix == ".parquet" else f"read_csv({where}, all_varchar = true)"
            )
            connection.execute(f"CREATE TEMP VIEW omop__{name} AS SELECT * FROM {read}")
            shape[name] = _columns_of(connection, f"omop__{name}")
        return _create(connection, "omop__{}".format, shape, _by_hand(), "TABLE")


def install_in_file(file: Path) -> dict[str, int]:
    """Create views over the OMOP tables of a DuckDB file, always as the tables are; returns rows of each view.

    Raises: ContractError: the file holds no CDM table, or a schema that is not ours bears the name of the views.
    """
    with open_file(file, read_only=False) as connection:
        query = "SELECT table_schema FROM information_schema.tables WHERE lower(table_name) = 'person' ORDER BY 1"
        schemas = [schema for (schema,) in connection.sql(query).fetchall() if schema != VIEWS_SCHEMA]
        if not schemas:
            raise ContractError("the file holds no table person", looked=str(file), do="give a file with OMOP tables")
        names = connection.sql(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = {literal(schemas[0])}"
        ).fetchall()
        there = {
            name.lower(): f"{quote(schemas[0])}.{quote(name)}" for (name,) in names if name.lower() in cdm_tables()
        }
        shape = {name: _columns_of(connection, target) for name, target in there.items()}
        _refuse_foreign(connection, file)
        connection.execute(f"DROP SCHEMA IF EXISTS {VIEWS_SCHEMA} CASCADE")
        return _create(connection, lambda name: there[name], shape, _by_hand(), "VIEW")


def _refuse_foreign(connection: Any, file: Path) -> None:
    query = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{VIEWS_SCHEMA}'"
    there = {name for (name,) in connection.sql(query).fetchall()}
    if there and "contract" not in there:
        raise TerminalError(
            f"the schema {VIEWS_SCHEMA} exists and was not made by passerelle",
            looked=str(file),
            do="rename that schema",
        )


def _by_hand() -> Origin:
    now = datetime.now(UTC)
    return Origin(f"installed {now:%Y-%m-%dT%H:%M:%SZ}", now)


@contextmanager
def _new(file: Path) -> Iterator[Any]:
    """A DuckDB that takes its name when the block ends well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        with open_file(beside, read_only=False) as connection:
            yield connection
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
        beside.with_name(f"{beside.name}.wal").unlink(missing_ok=True)


def _create(connection: Any, table_at: Callable[[str], str], shape: Shape, origin: Origin, kind: str) -> dict[str, int]:
    connection.execute(f"CREATE SCHEMA {VIEWS_SCHEMA}")
    rows = {}
    for name in in_order():
        target = f"{VIEWS_SCHEMA}.{quote(name)}"
        query = render(name, "duckdb", table_at, f"{VIEWS_SCHEMA}.{{}}".format, shape)
        connection.execute(f"CREATE {kind} {target} AS {query}")
        rows[name] = int(connection.sql(f"SELECT count(*) FROM {target}").fetchall()[0][0])
        for comment in comments_on(views()[name], target, kind):
            connection.execute(comment)
    connection.execute(
        f"CREATE TABLE {VIEWS_SCHEMA}.contract "
        "(contract varchar, snapshot_id varchar, created_at timestamptz, cdm_version varchar)"
    )
    connection.execute(
        f"INSERT INTO {VIEWS_SCHEMA}.contract VALUES (?, ?, ?, ?)",
        [CONTRACT, origin.snapshot_id, origin.created_at, CDM_VERSION],
    )
    return {name: rows[name] for name in views()}


def _columns_of(connection: Any, relation: str) -> dict[str, str]:
    rows: Sequence[tuple[str, str]] = connection.sql(
        f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {relation})"
    ).fetchall()
    return {name.lower(): kind for name, kind in rows}


def _file_of(folder: Path, table: str) -> Path | None:
    for name in (table, table.upper()):
        for suffix in FILES:
            if (file := folder / f"{name}{suffix}").is_file():
                return file
    return None
