"""One whole night as Airflow runs it: `dag.test()` on SQLite, the real command line, a hospital of one row a table."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from etl.declaration import SourceTable, load_source, source_folder

DAG = "mimic_iv_daily"
VALUES = {
    "bigint": "9",  # a version of ICD that exists
    "double": "1.0",
    "boolean": "1",
    "date": "2150-01-01",
    "timestamp": "2150-01-01 10:00:00",
}


def row_of(table: SourceTable) -> list[str]:
    """A text column holds its own name: the same in each table, so every join finds its row; no code is known."""
    return [VALUES.get(column.type, name) for name, column in table.columns.items()]


@pytest.fixture(scope="module")
def extract_folder(tmp_path_factory) -> Path:
    """Every file that the declaration names, with one row of fantasy."""
    folder = tmp_path_factory.mktemp("extract")
    for table in load_source(source_folder("mimic_iv")).tables.values():
        path = folder / table.path
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [",".join(table.columns), ",".join(row_of(table))]
        content = ("\n".join(rows) + "\n").encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return folder


def airflow(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The airflow program in a process of its own: it changes logging and signals of the one it runs in."""
    command = [sys.executable, "-m", "airflow", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


@pytest.fixture(scope="module")
def night(extract_folder, tmp_path_factory, airflow_home):
    workspace = tmp_path_factory.mktemp("night") / "W"
    variables = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow_home}/night.db"}
    migrated = airflow("db", "migrate", **variables)
    assert migrated.returncode == 0, migrated.stderr[-2000:]
    conf = json.dumps({"input": str(extract_folder)})
    ran = airflow("dags", "test", DAG, "2026-01-01", "--conf", conf, PASSERELLE_WORKSPACE=str(workspace), **variables)
    return workspace, ran


def test_a_night_publishes_the_views(night):
    workspace, ran = night
    said = ran.stdout + ran.stderr
    assert re.search(r"DagRun Finished: .* state=success", said), said[-4000:]
    assert (workspace / "lake" / "views_v1" / "persons" / "_delta_log").is_dir()


def test_a_night_accounts_for_every_row(night):
    workspace, _ = night
    command = [sys.executable, "-m", "passerelle", "ledger", "--workspace", str(workspace), "--json"]
    rows = json.loads(subprocess.check_output(command, text=True))
    outcomes = ("mapped", "routed", "merged", "excluded", "quarantined")
    assert rows
    for row in rows:
        assert row["read"] == sum(row[name] for name in outcomes), row
