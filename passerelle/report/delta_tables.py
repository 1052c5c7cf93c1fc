"""The CDM tables at the version that their readers see."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from omop.delta_read import dataset
from omop.lake import Lake, is_delta
from omop.snapshot import Snapshot, last_snapshot
from passerelle.errors import ContractError

if TYPE_CHECKING:
    import pyarrow.dataset as ds


def snapshot_or_none(lake: Lake) -> Snapshot | None:
    """The last complete run; None when there is none yet."""
    try:
        return last_snapshot(lake)
    except ContractError:
        return None


def cdm_dataset(lake: Lake, name: str, versions: Mapping[str, int]) -> "ds.Dataset | None":
    """A table as its readers see it, else as it stands; None when it was never written."""
    from deltalake.exceptions import DeltaError

    path = lake.omop(name)
    if not is_delta(path):
        return None
    try:
        return dataset(path, versions.get(f"omop.{name}"))
    except DeltaError:  # that version was cleaned away
        return dataset(path)
