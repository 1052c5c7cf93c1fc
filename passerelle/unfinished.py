"""What a run that was killed, or not published yet, left in the tables, and how the next one undoes it."""

import shutil
from typing import Any

from omop.lake import Lake
from omop.snapshot import published_versions
from passerelle import runs
from spark_jobs.delta import restore, table_version

PROVENANCE = "ops.provenance"


def still_stands(lake: Lake, mapped: dict[str, Any]) -> bool:
    """Whether the tables are those that a run mapped: another source may have been mapped since.

    Args:
        mapped: details of the run's event ``mapped``.
    """
    return bool(mapped["unchanged"]) or all(
        table_version(lake.omop(name)) == facts["version"] for name, facts in mapped["tables"].items()
    )


def back_to_what_readers_see(lake: Lake, run_id: str) -> None:
    """Undo what unpublished runs left in the tables of OMOP, else the next snapshot would publish half of them.

    A run whose tables are undone here maps them again when it goes on (`still_stands`).
    """
    loaded = runs.last_with(lake, "vocabulary", "loaded")
    seen = published_versions(lake) | (loaded.events["loaded"].get("versions", {}) if loaded else {})
    for path in sorted((lake.root / "omop").glob("*")):
        version = seen.get(f"omop.{path.name}")
        if version is not None:
            restore(path, version)
        else:  # no reader has ever seen it; one rename, because a removal can be killed half-way
            abandoned = lake.staging(run_id) / "abandoned" / path.name
            shutil.rmtree(abandoned, ignore_errors=True)
            abandoned.parent.mkdir(parents=True, exist_ok=True)
            path.rename(abandoned)
    if PROVENANCE in seen:
        restore(lake.ops("provenance"), seen[PROVENANCE])
