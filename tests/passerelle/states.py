"""Workspaces to compare: a source that runs quickly, feeds that follow one another, one engine, what was written."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from omop.delta_read import dataset
from omop.lake import Lake
from omop.snapshot import dataset_of, last_snapshot
from omop.views.contract import views
from omop.views.store import ViewStore
from passerelle import accounts, pipeline
from passerelle.ledger import last_mapped_runs, ledger
from spark_jobs import ops
from spark_jobs.codes import VOCABULARY_TABLES
from spark_jobs.engine import open_engine
from tests.hospital import MAPPINGS, ROWS, SOURCE, write_source

OF_A_RUN = {"run_id", "cdm_release_date"}  # differ although nothing differs


@contextmanager
def one_engine() -> Iterator[pytest.MonkeyPatch]:
    """One engine for every run inside; opening it takes longer than most runs here."""
    with open_engine() as engine, pytest.MonkeyPatch.context() as patch:

        @contextmanager
        def opened(*_: Any, **__: Any) -> Iterator[Any]:
            yield engine

        patch.setattr(pipeline, "open_engine", opened)
        yield patch


@contextmanager
def quick_runs() -> Iterator[pytest.MonkeyPatch]:
    """One engine, one quality check that passes and no view: for files with many runs, which count for themselves."""
    result = {"check": "isRequired", "cdm_table": "person", "cdm_field": "person_id", "violated": 0, "rows": 2}
    result |= {"threshold": 0.0, "status": "passed", "severity": "fatal", "reason": None}

    def assess(job: Any, _: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        accounts.record_quality(job.run, [result])
        return [result], {}

    with one_engine() as patch:
        patch.setattr(pipeline, "assess", assess)
        patch.setattr(pipeline, "materialise_views", lambda *_: {})
        yield patch


def write_small_source(folder: Path, name: str = "tiny", vocabulary: str = "ICD10") -> Path:
    """The tiny hospital without its letters and its dead: enough for persons, stays, codes and results."""
    declared = yaml.safe_load(SOURCE.replace("ICD10", vocabulary))
    declared["name"] = name
    del declared["tables"]["lettre"], declared["mappings"]["note"]
    mappings = {table: text for table, text in MAPPINGS.items() if table not in ("note", "death")}
    return write_source(folder, mappings, yaml.safe_dump(declared))


def next_day() -> dict[str, list[list[str]]]:
    """The feed of the day after: a corrected result, a deleted one, a new patient with a result, a line too short."""
    rows = copy.deepcopy(ROWS)
    rows["patient.csv"].append(["8003", "NAKATOMI", "06 11 22 33 44", "F", "1990-01-01", ""])
    results = rows["analyse.csv.gz"]
    results[1][4] = "250"
    del results[2]
    results += [["9", "8003", "", "NA", "140", "mmol/L", "2024-05-01 08:00:00"], ["10", "8003"]]
    return rows


def seen_by_readers(workspace: Path) -> dict[str, Any]:
    """Every table and view of the last complete run, as its readers get them."""
    lake, store = Lake(workspace), ViewStore.open(workspace)
    snapshot = last_snapshot(lake)
    names = [name for name in snapshot.versions if name[:5] == "omop." and name[5:] not in VOCABULARY_TABLES]
    found = {name: _plain(dataset_of(lake, snapshot, name).to_table()) for name in names}
    there = [name for name in views() if f"views_{store.contract}.{name}" in snapshot.versions]
    return found | {f"view {name}": _plain(store.read(name)) for name in there}


def seen_by_the_team(workspace: Path) -> dict[str, Any]:
    """The same, plus the accounts of the last run, its entries of quarantine and gaps, and the way back."""
    lake = Lake(workspace)
    runs = last_mapped_runs(lake)
    accounts = {
        name: _sorted([row for run in runs for row in ops.read(lake, name, run.run_id)])
        for name in ("quarantine", "mapping_gap", "quality")
    }
    provenance = dataset(lake.ops("provenance"), last_snapshot(lake).versions["ops.provenance"]).to_table()
    return seen_by_readers(workspace) | accounts | {"ledger": _sorted(ledger(lake)), "provenance": _plain(provenance)}


def _plain(table: pa.Table) -> list[Any]:
    return _sorted(table.to_pylist())


def _sorted(rows: list[dict[str, Any]]) -> list[Any]:
    return sorted((sorted((k, v) for k, v in row.items() if k not in OF_A_RUN) for row in rows), key=repr)
