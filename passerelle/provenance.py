"""From an OMOP row back to its source row, through the sidecar ``ops.provenance``."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from omop.delta_read import dataset
from omop.lake import Lake, is_delta
from omop.snapshot import published_versions
from passerelle.errors import UsageError
from passerelle.unfinished import PROVENANCE


def way_back(lake: Lake, table: str, row_id: int) -> dict[str, Any]:
    """Where an OMOP row comes from: mapping, source table, hash of its natural key, line of the file.

    Raises: UsageError: no row has this id.
    """
    path = lake.ops("provenance")
    version = published_versions(lake).get(PROVENANCE)
    wanted = (pc.field("target_table") == table) & (pc.field("target_id") == row_id)
    rows = dataset(path, version).to_table(filter=wanted).to_pylist() if is_delta(path) else []
    if not rows:
        raise UsageError(
            f"no row of {table} has the id {row_id}", looked=str(path), do="check table and id (ids are 63-bit numbers)"
        )
    found = rows[0]
    return {
        "row": f"{table} {row_id}",
        "mapping": f"{found['mapping']}.sql",
        "source_table": found["source_table"],
        "key_hash": found["source_row"],
        "line": _line(lake, found["source_table"], found["source_row"]),
    }


def _line(lake: Lake, source_table: str, key_hash: int) -> int | None:
    """Line of the file that held the row, where the source is made of files."""
    for path in sorted(lake.bronze("*", source_table).parent.parent.glob(f"*/{source_table}")):
        found = dataset(path).to_table(columns=["_line"], filter=pc.field("_row") == key_hash)
        if found.num_rows:
            line: int | None = found["_line"][0].as_py()
            return line
    return None


def natural_keys(workspace: Path, tables: tuple[str, ...]) -> dict[tuple[str, int], int]:
    """(CDM table, id) → hash of the natural key, of every row of some tables."""
    lake = Lake(workspace)
    path = lake.ops("provenance")
    if not is_delta(path):
        return {}
    rows = dataset(path, published_versions(lake).get(PROVENANCE)).to_table(
        columns=["target_table", "target_id", "source_row"], filter=pc.field("target_table").isin(list(tables))
    )
    keys = zip(rows["target_table"].to_pylist(), rows["target_id"].to_pylist(), strict=True)
    return dict(zip(keys, rows["source_row"].to_pylist(), strict=True))
