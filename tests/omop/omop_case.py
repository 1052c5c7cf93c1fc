"""Write a small OMOP database as the engine would: Arrow tables, a workspace, the views on Sail."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from omop.cdm import table as cdm_table
from omop.lake import Lake
from omop.views.contract import ARROW_TYPES, view, views
from omop.views.materialise import view_sql
from omop.views.render import in_order as in_order_of_reading
from omop.views.render import render

GOLDEN = Path(__file__).parent / "golden"


def arrow(table: str, rows: list[dict]) -> pa.Table:
    """Rows of a CDM table, columns that are not given null."""
    columns = cdm_table(table).columns
    unknown = {name for row in rows for name in row} - {column.name for column in columns}
    assert not unknown, unknown
    schema = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in columns])
    return pa.Table.from_pylist(rows, schema=schema)


def expected(name: str, rows: list[dict]) -> pa.Table:
    """Rows of a view as a clinician writes them: in the order of the key, nulls left out."""
    return pa.Table.from_pylist(rows, schema=view(name).schema)


def write_lake(workspace: Path, given: Mapping[str, list[dict]], run_id: str = "run-1", day: int = 1) -> Lake:
    """A workspace as a complete run leaves it: CDM tables, views, snapshot.

    The views are DuckDB's: `test_views` shows that every engine gives these rows, and this one gives them at once.
    """
    from deltalake import write_deltalake

    lake = Lake(workspace)
    snapshot = []

    def write(path: Path, name: str, table: pa.Table) -> None:
        from deltalake import DeltaTable

        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(str(path), table, mode="overwrite")
        snapshot.append({"table": name, "version": DeltaTable(str(path)).version()})

    tables = {name: arrow(name, given.get(name, [])) for name in {*given, *needed()}}
    for name, table in tables.items():
        write(lake.omop(name), f"omop.{name}", table)
    for name, table in on_duckdb(tables).items():
        write(lake.view(name), f"views_v1.{name}", table)
    stamp = datetime(2025, 4, day, tzinfo=UTC)
    rows = [{"run_id": run_id, "source": "golden", **row, "created_at": stamp} for row in snapshot]
    write_deltalake(str(lake.ops("snapshot")), pa.Table.from_pylist(rows), mode="append")
    return lake


def needed() -> set[str]:
    """CDM tables that the views read."""
    from omop.views.render import tables_of

    return {table for name in views() for table in tables_of(name)}


def on_sail(engine, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The views, computed by a Spark engine, the embedded one most often."""
    for name, table in tables.items():
        on_engine(engine, f"omop__{name}", table)
    found = {}
    for name in in_order_of_reading():
        query = engine.sql(view_sql(name, "omop__{}".format, "view__{}".format))
        query.createOrReplaceTempView(f"view__{name}")
        found[name] = in_order(name, query.toArrow())
    return found


def on_duckdb(tables: dict[str, pa.Table], shape=None) -> dict[str, pa.Table]:
    """The views, computed by DuckDB."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")  # the zone of a session must not matter
        for name, table in tables.items():
            connection.register(f"omop__{name}", naive(table))
        return {name: in_order(name, utc(table)) for name, table in views_of_duckdb(connection, shape).items()}


def views_of_duckdb(connection: duckdb.DuckDBPyConnection, shape=None) -> dict[str, pa.Table]:
    """The views over the tables ``omop__…`` of a connection."""
    found = {}
    for name in in_order_of_reading():
        query = render(name, "duckdb", "omop__{}".format, "view__{}".format, shape)
        connection.execute(f"CREATE TABLE view__{name} AS {query}")
        found[name] = connection.sql(f"SELECT * FROM view__{name}").to_arrow_table()
    return found


def naive(table: pa.Table) -> pa.Table:
    """Times without a zone, as OMOP databases keep them."""
    fields = [pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def utc(table: pa.Table) -> pa.Table:
    """DuckDB names instants after the session's zone."""
    fields = [
        pa.field(f.name, pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))


def on_engine(engine, name: str, table: pa.Table) -> None:
    """Make a small table, perhaps an empty one, readable by the engine."""
    if table.num_rows:
        engine.spark.createDataFrame(table).createOrReplaceTempView(name)
        return
    kinds = {arrow_type: kind for kind, arrow_type in ARROW_TYPES.items()}
    cells = ", ".join(f"CAST(NULL AS {kinds[field.type]}) AS {field.name}" for field in table.schema)
    engine.sql(f"SELECT {cells} WHERE false").createOrReplaceTempView(name)


def on_its_own(repository: Path, module: str, *words: object) -> None:
    """Run a module in a process of its own: one process holds Spark Connect or classic Spark, not both."""
    # The embedded engine of this process leaves SPARK_CONNECT_MODE_ENABLED behind, which classic Spark would obey.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=repository,
        check=False,
        env={**inherited, "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[:3000]


def in_order(name: str, table: pa.Table) -> pa.Table:
    """A view's rows in a fixed order, and its types exactly."""
    assert table.schema.names == view(name).schema.names
    for field in view(name).schema:
        assert table.schema.field(field.name).type == field.type, (name, field.name, table.schema.field(field.name))
    table = pa.Table.from_batches([batch.cast(view(name).schema) for batch in table.to_batches()], view(name).schema)
    return table.sort_by([(column, "ascending") for column in table.schema.names])
