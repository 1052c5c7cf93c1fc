"""Bookkeeping tables of a workspace: runs, snapshots, ledger, quarantine, gaps. Small; no engine reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omop.delta_read import dataset
from omop.lake import Lake, is_delta

FILES = 64  # of a table; each run adds some to most tables, and each of its steps reads several
QUARANTINE_SAMPLE = 10_000  # entries kept a table and run; the ledger counts all of them

TIME = pa.timestamp("us", tz="UTC")
SCHEMAS: dict[str, pa.Schema] = {
    "run": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("event", pa.string()),  # started, extracted, mapped, checked, published, unchanged, failed
            ("at", TIME),
            ("seconds", pa.float64()),
            ("details", pa.string()),  # JSON: settings with origin, versions, fingerprints
        ]
    ),
    "snapshot": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("table", pa.string()),
            ("version", pa.int64()),
            ("created_at", TIME),
        ]
    ),
    "ledger": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("source_table", pa.string()),
            ("outcome", pa.string()),  # mapped, routed, merged, excluded, quarantined
            ("rule", pa.string()),
            ("rows", pa.int64()),
        ]
    ),
    "quarantine": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("source_table", pa.string()),
            ("step", pa.string()),  # extract or the mapping's name
            ("line", pa.int64()),
            ("key_hash", pa.int64()),
            ("reason", pa.string()),
            ("whole_row", pa.bool_()),  # false: the row was kept without this value
        ]
    ),
    "mapping_gap": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("mapping", pa.string()),
            ("field", pa.string()),
            ("vocabulary", pa.string()),
            ("code", pa.string()),
            ("label", pa.string()),
            ("reason", pa.string()),
            ("rows", pa.int64()),
        ]
    ),
    "table": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("cdm_table", pa.string()),
            ("rows", pa.int64()),
            ("version", pa.int64()),
            ("seconds", pa.float64()),
        ]
    ),
    "quality": pa.schema(
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("check", pa.string()),
            ("cdm_table", pa.string()),
            ("cdm_field", pa.string()),
            ("violated", pa.int64()),
            ("rows", pa.int64()),
            ("threshold", pa.float64()),
            ("status", pa.string()),
            ("severity", pa.string()),
            ("reason", pa.string()),  # why it was not evaluated; who set its threshold and why
            ("concept_id", pa.string()),  # of which concept, where the check is about one
        ]
    ),
    "coverage": pa.schema(  # of the newest run of each source
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("key", pa.string()),  # a CDM table, or an item of the socle commun; all stays: visit_occurrence
            ("month", pa.int64()),  # year * 12 + month - 1, of the beginning of the stay
            ("care_site_id", pa.int64()),
            ("stays", pa.int64()),
        ]
    ),
    "socle": pa.schema(  # of the newest run of each source
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("item", pa.string()),
            ("status", pa.string()),  # present, absent, not needed, not evaluated
            ("having", pa.int64()),
            ("of", pa.int64()),
            ("unit", pa.string()),  # stays or persons
        ]
    ),
    "conformance": pa.schema(  # of the newest run of each source
        [
            ("run_id", pa.string()),
            ("source", pa.string()),
            ("statement", pa.string()),
            ("level", pa.string()),
            ("asks", pa.string()),
            ("status", pa.string()),
            ("evidence", pa.string()),
            ("how", pa.string()),  # computed or declared
        ]
    ),
}


@dataclass(frozen=True)
class Quarantined:
    """One row, or one value of a row, that was set aside: where it stands and why, never what it says."""

    source_table: str
    key_hash: int | None
    line: int | None
    reason: str
    step: str | None
    whole_row: bool = True


def append(lake: Lake, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to a bookkeeping table, in one commit."""
    from deltalake import write_deltalake

    if rows:
        path = lake.ops(table)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            str(path),
            pa.Table.from_pylist(list(rows), schema=SCHEMAS[table]),
            mode="append",
            schema_mode="merge",
        )


def replace(lake: Lake, table: str, rows: Sequence[dict[str, Any]], where: str) -> None:
    """Put rows in the place of those that match, in one commit: a step that was killed and done again counts once.

    Args:
        where: SQL over the columns of the table, true of every one of ``rows``.
    """
    from deltalake import write_deltalake

    path = lake.ops(table)
    if not is_delta(path):
        append(lake, table, rows)
        return
    content = pa.Table.from_pylist(list(rows), schema=SCHEMAS[table])
    write_deltalake(str(path), content, mode="overwrite", predicate=where, schema_mode="merge")


def tidy(lake: Lake) -> None:
    """Make one file of the many that a year of runs leaves in each bookkeeping table; its rows stay as they are.

    Files that no version of the last week needs are removed.
    """
    from deltalake import DeltaTable

    for name in SCHEMAS:
        if is_delta(path := lake.ops(name)) and len((table := DeltaTable(str(path))).file_uris()) > FILES:
            table.optimize.compact()
            table.vacuum(dry_run=False)


def read(lake: Lake, table: str, run_id: str | None = None) -> list[dict[str, Any]]:
    """Rows of a bookkeeping table, of one run or of all."""
    path = lake.ops(table)
    if not is_delta(path):
        return []
    wanted = None if run_id is None else pc.field("run_id") == run_id
    rows: list[dict[str, Any]] = dataset(path).to_table(filter=wanted).to_pylist()
    return rows
