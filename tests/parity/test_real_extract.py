"""The real extract on the embedded engine and on Apache Spark gives the same tables, row by row."""

import pytest

from tests.parity.workspaces import SPARK, assert_equal, ledger_of, passerelle


@pytest.mark.timeout(2400)
def test_the_real_extract_is_the_same_on_both_engines(tmp_path, shared_data, delta_jars):
    for name, engine in (("embedded", "embedded"), ("spark", SPARK)):
        workspace = ["--workspace", str(tmp_path / name), "--engine", engine]
        passerelle("vocabulary", "load", str(shared_data / "omop-vocabulary-subset"), *workspace, jars=str(delta_jars))
        passerelle(
            "run", "mimic_iv", "--input", str(shared_data / "mimic-iv-demo" / "csv"), *workspace, jars=str(delta_jars)
        )
    assert_equal(tmp_path / "embedded", tmp_path / "spark")
    assert ledger_of(tmp_path / "embedded") == ledger_of(tmp_path / "spark")
