"""Apache Spark and the embedded engine give the same views, the same quality counts and the same eras."""

import json

import pyarrow.parquet as pq

from tests.omop.omop_case import on_its_own
from tests.omop.on_apache_spark import eras, views_and_scans


def test_apache_spark_gives_the_same_views_counts_and_eras(sail, delta_jars, repository, tmp_path):
    on_its_own(repository, "tests.omop.on_apache_spark", delta_jars, tmp_path)
    views, scans = views_and_scans(sail)
    for name, table in views.items():
        assert pq.read_table(tmp_path / f"{name}.parquet").equals(table), name
    assert json.loads((tmp_path / "scans.json").read_text(encoding="utf-8")) == scans
    assert json.loads((tmp_path / "eras.json").read_text(encoding="utf-8")) == eras(sail, tmp_path / "embedded")
