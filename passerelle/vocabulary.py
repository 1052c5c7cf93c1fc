"""The vocabulary of a workspace: an input with a release, replaced only when a person has seen what that changes."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.concept_maps import FIRST_LOCAL_CONCEPT
from etl.resolution import UNKNOWN
from omop.cdm import TYPE_CONCEPTS
from omop.delta_read import dataset
from omop.lake import Lake, is_delta
from passerelle import runs
from passerelle.errors import UsageError
from spark_jobs import ops
from spark_jobs.compare_vocabulary import compare_vocabulary, lines_of
from spark_jobs.delta import table_version
from spark_jobs.engine import Engine
from spark_jobs.load_vocabulary import LOADED, StagedVocabulary, load_vocabulary, stage_vocabulary

SOURCE = "vocabulary"  # under this name the ledger of runs keeps the loads
NOT_HERE, NOT_STANDARD, FINE = "absent from this copy", "not standard", "standard"


@dataclass(frozen=True)
class Loaded:
    """What a load did."""

    release: str
    rows: dict[str, int]


def load_release(
    engine: Engine,
    lake: Lake,
    folder: Path,
    *,
    accepted: bool,
    progress: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Load a release and record it.

    Args:
        accepted: the person has said yes to what it changes.

    Raises: UsageError: another release is loaded and nobody has said yes; it shows what would change.
    """
    with _staged(lake, folder, progress) as staged:
        before = runs.last_with(lake, SOURCE, "loaded")
        if before is not None and not accepted and not _same(before.events["loaded"], staged):
            progress("comparing with the loaded release")
            _refuse(before.events["loaded"]["release"], staged, _compared(engine, lake, staged), folder)
        progress(f"writing {staged.release}")
        run = runs.begin(lake, SOURCE, folder=folder.name)
        with run.step("loaded") as details:
            load_vocabulary(engine, lake, staged)
            versions = {f"omop.{name}": table_version(lake.omop(name)) for name in LOADED}
            details |= {"release": staged.release, "digest": staged.digest, "rows": staged.rows, "versions": versions}
        return Loaded(staged.release, staged.rows)


def difference(
    engine: Engine, lake: Lake, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """What another release would change; the workspace stays as it is.

    Raises: UsageError: no vocabulary is loaded.
    """
    before = _loaded(lake)
    with _staged(lake, folder, progress) as staged:
        progress("comparing with the loaded release")
        found = _compared(engine, lake, staged)
    return {"loaded": before["release"], "other": staged.release, **found}


@contextmanager
def _staged(lake: Lake, folder: Path, progress: Callable[[str], None]) -> Iterator[StagedVocabulary]:
    staging = lake.staging(SOURCE)
    progress(f"reading {folder}")
    try:
        yield stage_vocabulary(folder, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _same(loaded: dict[str, Any], staged: StagedVocabulary) -> bool:
    return loaded["release"] == staged.release and loaded.get("digest", staged.digest) == staged.digest


def _refuse(loaded: str, staged: StagedVocabulary, found: dict[str, Any], folder: Path) -> None:
    raise UsageError(
        f"{staged.release} would replace {loaded}: say yes to what that changes",
        looked="\n        ".join(["", *lines_of(found)]).lstrip(" "),
        do=f"look closer: passerelle vocabulary diff {folder}   then: the same command with --yes",
    )


def _compared(engine: Engine, lake: Lake, staged: StagedVocabulary) -> dict[str, Any]:
    return compare_vocabulary(engine, lake, staged, _unknown_codes(lake))


def _unknown_codes(lake: Lake) -> list[dict[str, Any]]:
    """Codes of the last run of each source that the loaded copy lacks, under the OMOP name of their vocabulary."""
    codes: Counter[tuple[str, str]] = Counter()
    for source in sorted({run.source for run in runs.load(lake)} - {SOURCE}):
        if (run := runs.last_with(lake, source, "mapped")) is None:
            continue
        names = {
            name: facts.get("vocabulary_id", name) for name, facts in (run.events["mapped"]["codes"] or {}).items()
        }
        for gap in ops.read(lake, "mapping_gap", run.run_id):
            if gap["reason"] == UNKNOWN and gap["vocabulary"]:
                codes[names.get(gap["vocabulary"], gap["vocabulary"]), gap["code"]] += gap["rows"]
    return [{"vocabulary_id": name, "code": code, "rows": rows} for (name, code), rows in codes.items()]


# --- status --------------------------------------------------------------------------------------------------------


def status(lake: Lake) -> dict[str, Any]:
    """What the loaded copy holds, and what it lacks. Reads the tables without an engine.

    Raises: UsageError: no vocabulary is loaded.
    """
    loaded = _loaded(lake)
    columns = ["concept_id", "vocabulary_id", "domain_id", "standard_concept", "invalid_reason"]
    concepts = dataset(lake.omop("concept")).to_table(columns=columns)
    ids = np.sort(concepts["concept_id"].to_numpy())
    return {
        "release": loaded["release"],
        "rows": loaded["rows"],
        "vocabularies": _vocabularies(concepts),
        "domains": _domains(concepts),
        "holes": _holes(lake, ids),
        "type_concepts": _type_concepts(concepts),
    }


def _loaded(lake: Lake) -> dict[str, Any]:
    run = runs.last_with(lake, SOURCE, "loaded")
    if run is None or not is_delta(lake.omop("concept")):
        raise UsageError(
            "no vocabulary is loaded in this workspace",
            looked=str(lake.omop("concept")),
            do="passerelle vocabulary load DIR (the first run loads the small one that ships)",
        )
    return run.events["loaded"]


def _standard(concepts: pa.Table) -> pa.ChunkedArray:
    valid = pc.is_null(concepts["invalid_reason"])
    return pc.and_(pc.fill_null(pc.equal(concepts["standard_concept"], "S"), False), valid)


def _vocabularies(concepts: pa.Table) -> list[dict[str, Any]]:
    flags = pa.table(
        {
            "vocabulary": concepts["vocabulary_id"],
            "standard": _standard(concepts).cast(pa.int64()),
            "invalid": pc.is_valid(concepts["invalid_reason"]).cast(pa.int64()),
            "local": pc.greater_equal(concepts["concept_id"], FIRST_LOCAL_CONCEPT).cast(pa.int64()),
        }
    )
    sums = [("vocabulary", "count"), ("standard", "sum"), ("invalid", "sum"), ("local", "sum")]
    grouped = flags.group_by("vocabulary", use_threads=False).aggregate(sums)
    rows = [
        {"vocabulary": r["vocabulary"], "concepts": r["vocabulary_count"]}
        | {name: r[f"{name}_sum"] for name in ("standard", "invalid", "local")}
        for r in grouped.to_pylist()
    ]
    return sorted(rows, key=lambda row: (-row["concepts"], row["vocabulary"] or ""))


def _domains(concepts: pa.Table) -> dict[str, int]:
    """Standard concepts of each domain: where rows can go."""
    counted = pc.value_counts(concepts["domain_id"].filter(_standard(concepts))).to_pylist()
    return {row["values"] or "(none)": row["counts"] for row in sorted(counted, key=lambda row: -row["counts"])}


def _holes(lake: Lake, ids: "np.ndarray") -> dict[str, int]:
    """Relations whose ends this copy lacks: a code there may be standard, but not in this copy."""
    found: Counter[str] = Counter()
    columns = ["concept_id_1", "concept_id_2", "relationship_id"]
    for batch in dataset(lake.omop("concept_relationship")).to_batches(columns=columns):
        start, end = (_held(batch.column(i), ids) for i in (0, 1))
        maps = pc.equal(batch.column(2), "Maps to").to_numpy(zero_copy_only=False)
        found["relations"] += batch.num_rows
        found["relations that start from an absent concept"] += int((~start).sum())
        found["'Maps to' from a concept of this copy"] += int((maps & start).sum())
        found["'Maps to' from a concept of this copy to an absent one"] += int((maps & start & ~end).sum())
    for batch in dataset(lake.omop("concept_ancestor")).to_batches(
        columns=["ancestor_concept_id", "descendant_concept_id"]
    ):
        both = _held(batch.column(0), ids) & _held(batch.column(1), ids)
        found["ancestries"] += batch.num_rows
        found["ancestries with an absent end"] += int((~both).sum())
    return dict(found)


def _held(column: pa.Array, ids: "np.ndarray") -> "np.ndarray":
    wanted = column.to_numpy(zero_copy_only=False)
    if not len(ids):
        return np.zeros(len(wanted), dtype=bool)
    return ids[np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)] == wanted


def _type_concepts(concepts: pa.Table) -> list[dict[str, Any]]:
    """The type concepts that the engine writes whatever the copy holds, and whether a reader finds them in it."""
    wanted = pa.array(list(TYPE_CONCEPTS.values()), pa.int64())
    here = concepts.filter(pc.is_in(concepts["concept_id"], wanted))
    standard = dict(zip(here["concept_id"].to_pylist(), _standard(here).to_pylist(), strict=True))
    words = {None: NOT_HERE, False: NOT_STANDARD, True: FINE}
    return [
        {"concept_id": concept, "name": name, "state": words[standard.get(concept)]}
        for name, concept in TYPE_CONCEPTS.items()
    ]
