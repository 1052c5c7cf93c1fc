"""Every wrong value at once, through the whole way: checks, views, report and what a person asks of the workspace.

The other copies of this folder are mapped without checks and views; here nothing is left out.
"""

import shutil
from collections.abc import Iterator

import pytest

from omop.lake import Lake
from passerelle.cli import run as cli
from tests.hostile import oracle
from tests.hostile.hospitals import WANTED, good_copy, run
from tests.hostile.mutated_copies import put_everywhere
from tests.hostile.mutations import DATABASE
from tests.hostile.small_copies import COPIES
from tests.passerelle.states import one_engine, seen_by_readers

QUESTIONS = ("ledger", "gaps", "quarantine", "quality", "report")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    with one_engine():
        yield


@pytest.mark.parametrize("source", sorted(COPIES) if WANTED else ["tiny"])
def test_a_copy_with_every_wrong_value_goes_through_checks_views_and_report(source, request, tmp_path, capsys):
    good, workspace = good_copy(source, tmp_path, request), tmp_path / "W"
    copy = put_everywhere(good, tmp_path / "copy")
    private = oracle.private_words(good)
    dsn = request.getfixturevalue("dsn") if good.form == DATABASE else None
    capsys.readouterr()
    code = run(copy, workspace, dsn)
    out, err = capsys.readouterr()
    if code:  # a control of the source may find that too much is set aside
        assert "fatal quality check" in oracle.said_well(out, err, private)["what"]
        return
    oracle.check_accounts(copy, Lake(workspace))
    oracle.check_tables(copy, Lake(workspace))
    assert any(rows for name, rows in seen_by_readers(workspace).items() if name.startswith("view "))
    for question in QUESTIONS:
        assert cli([question, "--workspace", str(workspace)]) == 0, question
        out, err = capsys.readouterr()
        assert "\x1b[31m" not in out and "Traceback" not in err
    shutil.rmtree(workspace)
