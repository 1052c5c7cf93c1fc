"""The promises of conftest.py: skips of marked tests fail in CI, and the environment is clean."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import pytest

@pytest.mark.java
def test_marked():
    pytest.skip("no Java here")

def test_by_fixture(helm):
    pass

def test_unmarked():
    pytest.skip("not today")
"""


def run_probe(folder: Path, repository: Path, ci: str, options: list[str]) -> str:
    (folder / "conftest.py").write_text((repository / "tests" / "conftest.py").read_text())
    (folder / "test_probe.py").write_text(PROBE)
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-c", os.devnull, str(folder), *options]
    command += ["--basetemp", str(folder / "tmp")]  # else it closes the folders of the tests beside it to other users
    environment = {"CI": ci, "PATH": "", "HOME": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False).stdout


@pytest.mark.parametrize("options", [[], ["--numprocesses", "2", "--dist", "loadfile"]], ids=["alone", "side by side"])
@pytest.mark.parametrize(("ci", "expected"), [("true", "1 failed, 1 skipped"), ("", "3 skipped")])
def test_a_skip_of_a_marked_test_is_a_failure_in_ci_only(tmp_path, repository, ci, expected, options):
    output = run_probe(tmp_path, repository, ci, options)
    assert expected in output
    assert "no Java here" in output and "no helm on PATH" in output


def test_no_setting_of_the_person_who_runs_the_tests_is_seen(clean_environment):
    assert [name for name in os.environ if name.startswith("PASSERELLE_")] in ([], ["PASSERELLE_JARS"])
    assert clean_environment == "Pacific/Marquesas"
