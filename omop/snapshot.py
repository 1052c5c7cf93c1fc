"""The last complete run of a workspace: which version of each table its readers see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from omop.delta_read import dataset
from omop.lake import Lake, is_delta
from passerelle.errors import ContractError

if TYPE_CHECKING:
    import pyarrow.dataset as ds


@dataclass(frozen=True)
class Snapshot:
    """One complete state of the lake."""

    run_id: str
    created_at: datetime
    versions: Mapping[str, int]  # 'omop.person', 'views_v1.stays' → Delta version


def last_snapshot(lake: Lake) -> Snapshot:
    """The newest complete run.

    Raises: ContractError: the workspace has none.
    """
    path = lake.ops("snapshot")
    rows = dataset(path).to_table().to_pylist() if is_delta(path) else []
    if not rows:
        raise ContractError(
            "the workspace has no complete run yet", looked=str(path), do="passerelle run SOURCE --workspace W"
        )
    newest = max(rows, key=lambda row: (row["created_at"], row["run_id"]))
    here = [row for row in rows if (row["run_id"], row["created_at"]) == (newest["run_id"], newest["created_at"])]
    return Snapshot(newest["run_id"], newest["created_at"], {row["table"]: row["version"] for row in here})


def published_versions(lake: Lake) -> dict[str, int]:
    """Table → version of the last complete run; empty before the first."""
    return dict(last_snapshot(lake).versions) if is_delta(lake.ops("snapshot")) else {}


def dataset_of(lake: Lake, snapshot: Snapshot, table: str) -> "ds.Dataset":
    """One table of a snapshot, read at its version.

    Args:
        table: 'omop.person' or 'views_v1.stays'.

    Raises: ContractError: the snapshot does not hold the table.
    """
    if table not in snapshot.versions:
        raise ContractError(
            f"the last complete run has no {table}",
            looked=f"snapshot {snapshot.run_id}: {', '.join(sorted(snapshot.versions))}",
            do="passerelle publish SOURCE --workspace W",
        )
    return dataset(path_of(lake, table), snapshot.versions[table])


def path_of(lake: Lake, table: str) -> Path:
    """Where a table of a snapshot lies."""
    room, name = table.split(".")
    return lake.omop(name) if room == "omop" else lake.root / room / name
