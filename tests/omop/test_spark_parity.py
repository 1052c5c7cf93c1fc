"""Apache Spark and the embedded engine give the same views, the same quality counts and the same eras."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq

from tests.omop.on_apache_spark import eras, views_and_scans


def test_apache_spark_gives_the_same_views_counts_and_eras(sail, delta_jars, repository, tmp_path):
    # The embedded engine of this process leaves SPARK_CONNECT_MODE_ENABLED behind, which classic Spark would obey.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.omop.on_apache_spark", str(delta_jars), str(tmp_path)],
        cwd=repository,
        check=False,
        env={**inherited, "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    views, scans = views_and_scans(sail)
    for name, table in views.items():
        assert pq.read_table(tmp_path / f"{name}.parquet").equals(table), name
    assert json.loads((tmp_path / "scans.json").read_text(encoding="utf-8")) == scans
    assert json.loads((tmp_path / "eras.json").read_text(encoding="utf-8")) == eras(sail, tmp_path / "embedded")
