"""What a run left in a workspace, to be compared with what it left on another engine, row by row."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmarks import command_line
from omop.delta_read import dataset
from omop.lake import Lake
from omop.snapshot import last_snapshot

SPARK = "local[2]"


def passerelle(*words: str, **settings: str) -> Any:
    """The command line in a process of its own: an engine is a process."""
    return command_line.passerelle(*words, **settings)[1]


def rows_of(path: Path, version: int) -> pa.Table:
    """A table in one order of columns and rows; both engines must give this very content."""
    table = dataset(path, version).to_table()
    names = sorted(table.column_names)
    return table.select(names).sort_by([(name, "ascending") for name in names])


def tables_of(workspace: Path) -> dict[str, pa.Table]:
    lake = Lake(workspace)
    found = {
        name: rows_of(lake.root / name.replace(".", "/", 1), version)
        for name, version in last_snapshot(lake).versions.items()
    }
    for folder in sorted((lake.root / "bronze").glob("*/*")):
        found[f"bronze.{folder.name}"] = dataset(folder).to_table().drop_columns(["_line"])
    provenance = dataset(lake.ops("provenance")).to_table()
    return found | {"ops.provenance": provenance.sort_by([(name, "ascending") for name in provenance.column_names])}


def assert_equal(embedded: Path, spark: Path) -> None:
    ours, theirs = tables_of(embedded), tables_of(spark)
    assert set(ours) == set(theirs)
    for name, table in ours.items():
        other = theirs[name]
        assert {f.name: f.type for f in table.schema} == {f.name: f.type for f in other.schema}, name
        order = [(column, "ascending") for column in sorted(table.column_names)]
        left, right = table.sort_by(order), other.select(table.column_names).sort_by(order)
        differing = [column for column in table.column_names if not left[column].equals(right[column])]
        if left.num_rows != right.num_rows or differing:
            pytest.fail(f"{name}: {left.num_rows} and {right.num_rows} rows, differing columns: {differing}")


def ledger_of(workspace: Path) -> list[dict[str, Any]]:
    return [entry | {"run_id": ""} for entry in passerelle("ledger", "--workspace", str(workspace))]
