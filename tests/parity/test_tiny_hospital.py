"""The tiny hospital gives the same tables on the embedded engine, classic Spark and a Connect server, row by row."""

import pytest

from tests.hospital import write_feed, write_source
from tests.parity.workspaces import SPARK, assert_equal, ledger_of, passerelle


@pytest.mark.timeout(1800)
def test_the_tiny_hospital_is_the_same_on_all_three_engines(tmp_path, delta_jars, connect_server):
    source, feed = write_source(tmp_path / "tiny"), write_feed(tmp_path / "feed")
    engines = {"embedded": "embedded", "classic": SPARK, "connect": connect_server}
    for name, engine in engines.items():
        workspace = ["--workspace", str(tmp_path / name), "--engine", engine]
        passerelle("run", str(source), "--input", str(feed), *workspace, jars=str(delta_jars))
    for name in ("classic", "connect"):
        assert_equal(tmp_path / "embedded", tmp_path / name)
        assert ledger_of(tmp_path / "embedded") == ledger_of(tmp_path / name)
