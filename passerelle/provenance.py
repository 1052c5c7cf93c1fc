"""From an OMOP row back to its source row, through ``ops.provenance``; to its patient, for a stated reason."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from etl.cdm_rows import row_key
from etl.crosswalk import Crosswalk, identifiers_of
from omop.cdm import cdm_tables
from omop.delta_read import dataset
from omop.lake import Lake, is_delta
from omop.snapshot import published_versions
from passerelle import runs
from passerelle.errors import UsageError
from passerelle.unfinished import PROVENANCE
from passerelle.workspace import Workspace
from spark_jobs.bronze import BATCH, GONE, LINE, ROW, states_of

# Column of an OMOP row → what the crosswalk calls it.
IDENTITIES = {"person_id": "person", "visit_occurrence_id": "stay"}


def way_back(workspace: Workspace, table: str, row_id: int) -> dict[str, Any]:
    """Where an OMOP row comes from: source, mapping, source table, hash of its natural key, line of the file.

    Raises: UsageError: no row has this id, or it has no source row of its own.
    """
    lake = workspace.lake
    path = lake.ops("provenance")
    version = published_versions(lake).get(PROVENANCE)
    wanted = (pc.field("target_table") == table) & (pc.field("target_id") == row_id)
    rows = dataset(path, version).to_table(filter=wanted).to_pylist() if is_delta(path) else []
    if not rows:
        raise UsageError(
            f"no row of {table} with the id {row_id} has a source row",
            looked=str(path),
            do="check table and id (ids are 63-bit numbers); periods, eras and aggregates are made of many rows",
        )
    found = rows[0]
    source = workspace.source_of(found["person_bucket"])
    return {
        "row": f"{table} {row_id}",
        "source": source,
        "mapping": f"{found['mapping']}.sql",
        "source_table": found["source_table"],
        "key_hash": found["source_row"],
        "line": _line(lake, source, found["source_table"], found["source_row"]),
    }


def _line(lake: Lake, source: str, table: str, key_hash: int) -> int | None:
    """Line that held the row, in the file that brought it as it stands now; None where the source is a database.

    Bronze keeps every version of a row: the one of its newest landing counts, as the published run has left the table.
    """
    run = runs.last_with(lake, source, "published")
    state = states_of(run.events["extracted"]["tables"]).get(table) if run else None
    if state is None:
        return None
    log = dataset(lake.bronze(source, table), state.version)
    versions = log.to_table(columns=[LINE, BATCH, GONE], filter=pc.field(ROW) == key_hash).to_pylist()
    newest = max(versions, key=lambda row: row[BATCH], default=None)
    line: int | None = newest[LINE] if newest is not None and not newest[GONE] else None
    return line


def identity(lake: Lake, crosswalk: Crosswalk, source: str, table: str, row_id: int, why: str) -> dict[str, Any]:
    """The hospital's identifiers of the person and the stay of a row; the access log keeps who asked, when and why.

    Returns: ``person`` and ``stay``, each attribute → identifier; what the row does not name is left out.
    """
    key = row_key(cdm_tables()[table])
    rows = dataset(lake.omop(table), published_versions(lake).get(f"omop.{table}"))
    columns = [column for column in IDENTITIES if column in rows.schema.names]
    (row,) = rows.to_table(columns=columns, filter=pc.field(key) == row_id).slice(0, 1).to_pylist()
    opened = crosswalk.open(source, why=f"explain {table} {row_id}: {why}")
    found: dict[str, Any] = {}
    for column in columns:
        kind = IDENTITIES[column]
        own = (pc.field("kind") == kind) & (pc.field("attribute") == column)
        hashes = opened.filter(own & (pc.field("identifier") == str(row[column])))["hash"].to_pylist()
        if hashes:
            known = identifiers_of(opened, kind, hashes[0])
            found[kind] = {name: value for name, value in known.items() if name != column}
    return found


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
