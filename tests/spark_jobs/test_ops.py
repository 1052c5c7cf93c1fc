"""The bookkeeping tables."""

from datetime import UTC, datetime, timedelta

import pytest
from deltalake import DeltaTable

from omop.lake import Lake
from passerelle import runs
from spark_jobs import ops


def test_a_year_of_runs_leaves_few_files_and_every_row(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ops, "FILES", 8)
    lake, begun = Lake(tmp_path), datetime(2025, 1, 1, tzinfo=UTC)
    for n in range(30):
        row = {"run_id": f"run{n}", "source": "tiny", "event": "started", "at": begun + timedelta(days=n)}
        ops.append(lake, "run", [row | {"seconds": 0.0, "details": "{}"}])
        ops.tidy(lake)
        assert len(DeltaTable(str(lake.ops("run"))).file_uris()) <= 8
    assert [run.run_id for run in runs.load(lake)] == [f"run{n}" for n in range(30)]
