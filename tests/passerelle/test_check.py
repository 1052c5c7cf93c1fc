"""What `passerelle check` finds: on the demo hospital, and on one whose CDM was damaged after the mapping."""

import io
import json
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable

from omop.lake import Lake
from omop.quality.checks import checks_of
from omop.quality.comparisons import BALANCE, CONTROL, TRACED, TRACED_SOURCE, WRITTEN
from passerelle import pipeline
from passerelle.cli import run as cli
from passerelle.findings import OUR_OWN
from tests.hospital import MAPPINGS, write_feed, write_source

PATIENTS = 60
CONTROLS = """
- name: deaths
  table: death
  severity: fatal
  source: SELECT count(*) AS value FROM bronze.patient WHERE deces IS NOT NULL
  cdm: SELECT count(*) AS value FROM omop.death
- name: first_arrival
  table: visit_occurrence
  source: SELECT min(entree) AS value FROM bronze.sejour
  cdm: SELECT min(visit_start_datetime) AS value FROM omop.visit_occurrence
- name: births_at_home
  table: person
  source: SELECT count(*) AS value FROM bronze.patient
  cdm: SELECT count(*) AS value FROM omop.birth
"""


@pytest.fixture(scope="module")
def demo(open_folder: Path) -> Path:
    """A workspace with the demo hospital, checked."""
    from etl.demo.chu_demo import generate
    from etl.demo.server import demo_server

    with demo_server(open_folder / "pg") as dsn:
        generate(dsn, patients=PATIENTS)
        assert cli(["run", "chu_demo", "--input", dsn, "--workspace", str(open_folder / "W")]) == 0
    return open_folder / "W"


@pytest.fixture(scope="module")
def found(demo: Path) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as shown:
        assert cli(["check", "chu_demo", "--workspace", str(demo), "--json"]) == 0
    (entry,) = json.loads(shown.getvalue())
    return dict(entry)


def test_every_check_of_the_list_has_one_outcome(found):
    outcomes = Counter[str]()
    for counts in found["quality"].values():
        outcomes.update(counts)
    assert sum(outcomes.values()) == 2_535 + sum(len(checks_of(name)) for name in OUR_OWN)
    assert found["quality"]["fatal"]["failed"] == 0
    assert outcomes["passed"] > 1_200


def test_the_source_and_the_cdm_agree(found):
    kinds = Counter(row["check"] for row in found["reconciliation"] if row["status"] == "passed")
    assert [row for row in found["reconciliation"] if row["status"] == "failed"] == []
    assert kinds[BALANCE] == 17
    assert min(kinds[WRITTEN], kinds[TRACED], kinds[TRACED_SOURCE], kinds[CONTROL]) >= 7


def test_the_51_items_are_counted(found):
    socle = {row["item"]: row for row in found["socle"]}
    assert len(socle) == 51
    for item in ("1.a.3", "2.2", "2.4", "2.6", "3.a.2", "3.b.2", "4.1", "4.3", "5.a.2", "5.b.1"):
        assert socle[item]["status"] == "present", item
    assert socle["2.6"]["having"] == socle["2.6"]["of"]  # every stay has begun
    assert 0 < socle["3.a.2"]["having"] < socle["3.a.2"]["of"]
    # Counted where they are kept: in the crosswalk, never in the CDM.
    assert (socle["1.a.2"]["unit"], socle["1.a.2"]["of"]) == ("persons", PATIENTS)
    assert PATIENTS / 2 < socle["1.a.2"]["having"] <= PATIENTS
    # The demo laboratory measures no eosinophils, and nobody asks for the twin rank.
    assert {socle[item]["status"] for item in ("3.b.9", "1.a.5", "1.b.1")} == {"absent"}


def test_each_service_has_a_first_month(found):
    feeds = {(feed["cdm_table"], feed["care_site"]): feed for feed in found["completeness"]}
    assert len(feeds) > 20
    assert all("2022-01" <= feed["began"] <= "2024-12" for feed in feeds.values() if feed["began"])
    assert all(0 <= feed["usual_share"] <= 1 for feed in feeds.values())


def test_all_56_statements_are_judged_with_evidence(found):
    statements = found["conformance"]["statements"]
    assert len(statements) == 56 and all(row["evidence"] for row in statements)
    assert [row["statement"] for row in statements if row["status"] == "fail"] == ["f2o-071"]


def test_the_text_says_what_failed_what_lacks_and_where(demo, capsys):
    capsys.readouterr()
    assert cli(["check", "--workspace", str(demo)]) == 0
    text = capsys.readouterr().out
    for words in ("2535 checks", "0 that differ", "of 51 items present", "3.b.9 Eosinophiles", "f2o-071 (SHALL)"):
        assert words in text, words


def test_the_file_of_the_dashboard_holds_every_check(demo, tmp_path):
    path = tmp_path / "results.json"
    assert cli(["check", "chu_demo", "--workspace", str(demo), "--dqd-json", str(path)]) == 0
    file = json.loads(path.read_text())
    assert len(file["CheckResults"]) == file["Overview"]["countTotal"][0] == 2_535
    assert file["Metadata"][0]["cdmSourceAbbreviation"] == "CHU_DEMO"


def test_the_report_shows_what_was_found(demo, capsys):
    assert cli(["report", "--workspace", str(demo)]) == 0
    page = (demo / "report" / "index.html").read_text(encoding="utf-8")
    for section in ("reconciliation", "services", "socle", "conformance"):
        assert f'id="chu_demo-{section}"' in page
    assert "stays of known patients" in page  # a control of the source
    assert "3.b.9 Eosinophiles" in page and "f2o-071" in page
    # A picture of each event table by care site, and one of the items: a cell tells its share of its stays.
    assert page.count("Shares of the stays by") >= 5
    assert " stays</title>" in page


def mapped(folder: Path, mappings: dict[str, str] | None = None) -> tuple[str, Path]:
    """The tiny hospital with controls, mapped and not yet checked: source, workspace."""
    source, feed, workspace = write_source(folder / "tiny", mappings), write_feed(folder / "feed"), folder / "W"
    (source / "reconcile.yaml").write_text(CONTROLS)
    assert cli(["extract", str(source), "--input", str(feed), "--workspace", str(workspace)]) == 0
    assert cli(["map", str(source), "--workspace", str(workspace)]) == 0
    return str(source), workspace


def test_a_mapping_that_loses_a_death_is_stopped_by_the_control_that_knows_nothing_of_it(tmp_path, capsys):
    # The accounts balance all the same: person.sql accounts for the row.
    wrong = MAPPINGS | {"death": MAPPINGS["death"].replace("IS NOT NULL", "> DATE '2024-04-02'")}
    source, workspace = mapped(tmp_path, wrong)
    assert cli(["check", source, "--workspace", str(workspace)]) == 1
    assert "control on death.deaths: 1 of 1 rows" in capsys.readouterr().err


def test_rows_that_vanish_after_the_mapping_stop_the_publication(tmp_path, capsys, monkeypatch):
    source, workspace = mapped(tmp_path)
    monkeypatch.setattr(pipeline, "still_stands", lambda *_: True)  # else the run would notice, and map anew
    DeltaTable(str(Lake(workspace).omop("death"))).delete()
    assert cli(["check", source, "--workspace", str(workspace)]) == 1
    assert "nothing is published" in capsys.readouterr().err
    assert cli(["publish", source, "--workspace", str(workspace)]) != 0
    rows = ds.dataset(DeltaTable(str(Lake(workspace).ops("quality"))).to_pyarrow_table()).to_table().to_pylist()
    failed = {(row["check"], row["cdm_table"], row["cdm_field"]) for row in rows if row["status"] == "failed"}
    fatal = {(CONTROL, "death", "deaths"), (WRITTEN, "death", None), (TRACED, "death", None)}
    assert fatal <= failed
    (control,) = [row for row in rows if row["cdm_field"] == "deaths"]
    assert control["reason"] == "source 1, CDM 0"


def test_a_control_that_cannot_run_has_not_passed(tmp_path, capsys):
    source, workspace = mapped(tmp_path)
    capsys.readouterr()
    assert cli(["check", source, "--workspace", str(workspace), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    controls = {row["cdm_field"]: row["status"] for row in entry["reconciliation"] if row["check"] == CONTROL}
    assert controls == {"deaths": "passed", "first_arrival": "passed", "births_at_home": "not evaluated"}
    assert set(MAPPINGS) <= {row["cdm_table"] for row in entry["reconciliation"]}
