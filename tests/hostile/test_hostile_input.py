"""Foreign and hostile input: whatever a hospital sends, no traceback, no silent loss, no partly visible run.

By default a sample of the copies of the hospitals small enough to read, a larger one with ``CI=true``.
``PASSERELLE_MUTATIONS=300`` runs 300 copies over all shared sources, and some with every wrong value at once; a failing
copy is named by its number, from which it is made.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from omop.lake import Lake
from passerelle import pipeline, runs
from spark_jobs import ops
from tests.conftest import IN_CI
from tests.hostile import oracle
from tests.hostile.hospitals import WANTED, good_copy, run
from tests.hostile.mutated_copies import Copy, cases, expected, make, sample
from tests.hostile.mutations import DATABASE, Expect
from tests.hostile.small_copies import COPIES
from tests.passerelle.states import quick_runs, seen_by_readers

INCREMENTS = 3  # one copy in so many is mapped as an increment of the good one, which takes twice as long
SAMPLE = 12 if IN_CI else 6
CASES = cases(sorted(COPIES), WANTED, slow=3) if WANTED else sample("tiny", ["tiny_lines", "tiny_bundles"], SAMPLE)

pytestmark = pytest.mark.timeout(900)  # a million rows on a busy machine


@dataclass
class Hospital:
    """A good copy of a source, a workspace in which it ran, and what its readers see."""

    good: Copy
    workspace: Path
    dsn: str | None
    before: dict[str, Any] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)

    def run(self, copy: Copy, workspace: Path) -> int:
        return run(copy, workspace, self.dsn)


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """One engine; one quality check and no view, as for the interrupted runs: what is checked here is counted apart."""
    with quick_runs() as patch:
        patch.setattr(pipeline, "compile_source", cache(pipeline.compile_source))  # a third of the time of a small run
        yield


@pytest.fixture(scope="module")
def hospitals() -> dict[str, Hospital]:
    """Filled by those who ask: the first run of a source takes a while."""
    return {}


def hospital_of(name: str, hospitals: dict[str, Hospital], request: pytest.FixtureRequest) -> Hospital:
    if name not in hospitals:
        folder = request.getfixturevalue("tmp_path_factory").mktemp(name)
        good = good_copy(name, folder, request)
        dsn = request.getfixturevalue("dsn") if good.form == DATABASE else None
        hospital = Hospital(good, folder / "W", dsn)
        assert hospital.run(good, hospital.workspace) == 0
        oracle.check_accounts(good, Lake(hospital.workspace))
        oracle.check_tables(good, Lake(hospital.workspace))
        hospital.before, hospital.private = seen_by_readers(hospital.workspace), oracle.private_words(good)
        hospitals[name] = hospital
    return hospitals[name]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_hostile_copy_is_taken_with_all_its_rows_or_refused_in_clear_words(
    case, hospitals, request, tmp_path, capsys, monkeypatch
):
    hospital = hospital_of(case.source, hospitals, request)
    workspace = shutil.copytree(hospital.workspace, tmp_path / "W")
    copy, what = make(case, hospital.good, tmp_path / "copy")
    capsys.readouterr()
    if case.number % INCREMENTS:
        monkeypatch.setattr(pipeline, "INCREMENT_SHARE", -1)
    code = hospital.run(copy, workspace)
    out, err = capsys.readouterr()
    print(f"{case}: exit {code}, {case.mutation.sentence} ({what})")
    expect = expected(case, copy)
    if code:
        print(err[err.find("error: ") :][:2000])
        assert code in (1, 2)
        oracle.said_well(out, err, hospital.private)
        assert seen_by_readers(workspace) == hospital.before
        assert expect in (Expect.REFUSED, Expect.EITHER), "this copy must be taken"
        assert hospital.run(hospital.good, workspace) == 0
        assert seen_by_readers(workspace) == hospital.before
        return
    assert expect is not Expect.REFUSED, "this copy must be refused"
    oracle.check_accounts(copy, Lake(workspace))
    oracle.check_tables(copy, Lake(workspace))
    if expect is Expect.SAME:
        assert seen_by_readers(workspace) == hospital.before
    if expect is Expect.SET_ASIDE:
        run = runs.last_with(Lake(workspace), copy.source.name, "published")
        reasons = {row["reason"] for row in ops.read(Lake(workspace), "quarantine", run.run_id)}
        assert any(what.rpartition(": ")[2] in reason for reason in reasons), (what, reasons)
