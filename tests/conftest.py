"""What every test can count on: a clean environment, and the parts that a machine may lack.

A test that needs such a part asks for its fixture; the mark follows by itself. On a machine without the
part the test is skipped and says why. With ``CI=true`` the same skip is a failure: nothing is lost silently.
"""

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
KEPT = {name: os.environ.get(name) for name in ("PASSERELLE_JARS", "PASSERELLE_HELM", "PASSERELLE_MUTATIONS")}
IN_CI = os.environ.get("CI", "").lower() == "true"
MARK_OF_FIXTURE = {"shared_data": "shared", "delta_jars": "java", "helm": "helm", "chromium": "browser"}
# West of UTC, and by a half hour: a day or an hour taken in the wrong zone shows.
ZONE = "Pacific/Marquesas"
HOURS = -9.5
MARKS = frozenset(MARK_OF_FIXTURE.values())

# Before the first import of numpy, scikit-learn or LightGBM: two threads on two shared cores are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.set_threshold(50_000)  # as the command line does
# How long one example takes says more about the machine and what it imports first than about a law.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if mark := MARK_OF_FIXTURE.get(fixture):
                item.add_marker(mark)
    # The files with the longest tests first: at the end, one process would still be busy with them.
    long = {item.path for item in items if item.get_closest_marker("java")}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage again and again takes a twentieth of the time."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI a marked test that is skipped has failed: its part must be installed there."""
    report = yield
    expected_failure = hasattr(report, "wasxfail")
    if IN_CI and report.skipped and not expected_failure and MARKS & {mark.name for mark in item.iter_markers()}:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: must run in CI, but: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """No setting, home or time zone of the person who runs the tests.

    One home for the whole run, since generated secrets live there and a workspace needs its own again.
    """
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PASSERELLE_")]:
            patch.delenv(name)
        if jars := KEPT["PASSERELLE_JARS"]:
            patch.setenv("PASSERELLE_JARS", jars)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        patch.setenv("TZ", ZONE)
        time.tzset()
        assert time.localtime().tm_gmtoff == HOURS * 3600  # later an open engine may have UTC
        yield ZONE
    time.tzset()


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL may enter, which root runs as another user.

    Not below pytest's own: each session of pytest closes that one to other users, those that a test starts too.
    """
    with tempfile.TemporaryDirectory(prefix="passerelle-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets, beside the repository; never copied into it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not here: ../shared/data")
    return folder


@pytest.fixture(scope="session")
def delta_jars() -> Path:
    """A folder with the two Delta jars, on a machine that has Java."""
    if not shutil.which("java"):
        pytest.skip("no Java on PATH: Apache Spark cannot start (install a JRE 17 or newer)")
    folder = KEPT["PASSERELLE_JARS"]
    if not folder or not list(Path(folder).glob("delta-spark_*.jar")):
        pytest.skip("no Delta jars: set PASSERELLE_JARS to a folder with delta-spark and delta-storage")
    return Path(folder)


@pytest.fixture(scope="session")
def helm() -> str:
    """The helm program."""
    program = KEPT["PASSERELLE_HELM"] or shutil.which("helm")
    if not program:
        pytest.skip("no helm on PATH: set PASSERELLE_HELM or install helm 3")
    return program


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium that runs without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium on PATH: pages cannot be looked at")
    return program
