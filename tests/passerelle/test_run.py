"""A run of the tiny hospital, from files to views, on the embedded engine."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from omop.delta_read import dataset
from omop.lake import Lake
from passerelle.cli import run as cli
from passerelle.settings import load_settings
from tests.hospital import ROWS, write_feed, write_source


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tiny")
    source, feed, workspace = write_source(folder / "tiny"), write_feed(folder / "feed"), folder / "W"
    assert cli(["run", str(source), "--input", str(feed), "--workspace", str(workspace)]) == 0
    return {"source": source, "feed": feed, "workspace": workspace, "lake": Lake(workspace)}


def table(tiny: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return dataset(tiny["lake"].omop(name)).to_table().to_pylist()


def ledger(workspace: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert cli(["ledger", "--workspace", str(workspace), "--json"]) == 0
    return {entry["source_table"]: entry for entry in json.loads(capsys.readouterr().out)}


def test_every_row_of_every_table_is_accounted_for(tiny, capsys):
    for entry in ledger(tiny["workspace"], capsys).values():
        outcomes = ("mapped", "routed", "merged", "excluded", "quarantined")
        assert entry["read"] == sum(entry[outcome] for outcome in outcomes), entry


def test_the_ledger_names_rules_and_reasons(tiny, capsys):
    accounts = ledger(tiny["workspace"], capsys)
    assert accounts["analyse"]["rules"] == {
        "excluded": {"cancelled_by_laboratory": 1},
        "quarantined": {"no such person": 1},
    }
    assert accounts["diagnostic"]["rules"]["quarantined"] == {"no such stay": 1}


def test_days_are_those_of_the_hospital_and_times_are_utc(tiny):
    stays = sorted(table(tiny, "visit_occurrence"), key=lambda stay: stay["visit_start_datetime"])
    assert [str(stay["visit_start_datetime"]) for stay in stays] == [
        "2024-03-30 23:30:00+00:00",  # 00:30 in Paris, winter time
        "2024-03-31 02:00:00+00:00",  # 04:00 in Paris, summer time since two hours
    ]
    assert {str(stay["visit_start_date"]) for stay in stays} == {"2024-03-31"}


def test_a_result_without_a_stay_is_kept(tiny):
    potassium = next(row for row in table(tiny, "measurement") if row["measurement_source_value"] == "K")
    assert potassium["visit_occurrence_id"] is None and potassium["value_as_number"] == 4.2


def test_an_unknown_code_is_concept_zero_and_a_gap(tiny, capsys):
    assert all(row["measurement_concept_id"] == 0 for row in table(tiny, "measurement"))
    capsys.readouterr()
    cli(["gaps", "--workspace", str(tiny["workspace"]), "--json"])
    gaps = {(gap["vocabulary"], gap["code"]): gap for gap in json.loads(capsys.readouterr().out)}
    assert gaps["LOCAL", "CREA"]["rows"] == 2 and "not in this copy" in gaps["LOCAL", "CREA"]["reason"]


def test_a_note_reaches_omop_without_the_names_in_it(tiny):
    (note,) = table(tiny, "note")
    assert "Zurbriggen" not in note["note_text"] and "06.12" not in note["note_text"]
    assert "insuffisance rénale" in note["note_text"]


def test_ids_are_63_bit_and_no_identifier_of_the_hospital(tiny):
    ids = {row["person_id"] for row in table(tiny, "person")} | {
        row["visit_occurrence_id"] for row in table(tiny, "visit_occurrence")
    }
    assert all(2**40 < identifier < 2**63 for identifier in ids)


def test_rows_point_only_to_rows_that_exist(tiny):
    people = {row["person_id"] for row in table(tiny, "person")}
    stays = {row["visit_occurrence_id"] for row in table(tiny, "visit_occurrence")} | {None}
    for name in ("measurement", "condition_occurrence", "note"):
        for row in table(tiny, name):
            assert row["person_id"] in people and row["visit_occurrence_id"] in stays


def test_an_observation_period_spans_the_events_of_a_person(tiny):
    periods = sorted(
        (str(row["observation_period_start_date"]), str(row["observation_period_end_date"]))
        for row in table(tiny, "observation_period")
    )
    assert periods == [("2024-01-15", "2024-04-02"), ("2024-03-31", "2024-04-02")]


def versions(lake: Lake) -> dict[str, int]:
    from deltalake import DeltaTable

    folders = [path.parent for path in lake.root.glob("*/**/_delta_log") if "ops" not in path.parts]
    return {str(folder): DeltaTable(str(folder)).version() for folder in folders}


def test_a_second_run_changes_no_table(tiny, capsys):
    before, accounts = versions(tiny["lake"]), ledger(tiny["workspace"], capsys)
    arguments = [
        "run",
        str(tiny["source"]),
        "--input",
        str(tiny["feed"]),
        "--workspace",
        str(tiny["workspace"]),
        "--json",
    ]
    assert cli(arguments) == 0
    assert json.loads(capsys.readouterr().out)["map"]["unchanged"]
    assert versions(tiny["lake"]) == before
    after = ledger(tiny["workspace"], capsys)
    assert {n: e | {"run_id": ""} for n, e in after.items()} == {n: e | {"run_id": ""} for n, e in accounts.items()}


def content(workspace: Path, name: str) -> pa.Table:
    found = dataset(Lake(workspace).omop(name)).to_table()
    return found.select(sorted(found.column_names)).sort_by([(found.column_names[0], "ascending")])


def test_keys_are_the_same_in_another_workspace_and_another_order_of_rows(tiny, tmp_path):
    shuffled = {name: [rows[0], *reversed(rows[1:])] for name, rows in ROWS.items()}
    feed = write_feed(tmp_path / "feed", shuffled)
    assert cli(["run", str(tiny["source"]), "--input", str(feed), "--workspace", str(tmp_path / "W")]) == 0
    for name in ("person", "visit_occurrence", "measurement", "condition_occurrence"):
        assert content(tmp_path / "W", name).equals(content(tiny["workspace"], name)), name


def test_other_secrets_give_other_keys_and_are_refused_in_this_workspace(tiny, tmp_path, monkeypatch, capsys):
    for name in ("IDENTITY", "STAYS", "REST", "CROSSWALK"):
        monkeypatch.setenv(f"PASSERELLE_SECRET_{name}", f"another secret for {name}")
    arguments = ["run", str(tiny["source"]), "--input", str(tiny["feed"])]
    assert cli([*arguments, "--workspace", str(tmp_path / "W")]) == 0
    other = {row["person_id"] for row in dataset(Lake(tmp_path / "W").omop("person")).to_table().to_pylist()}
    assert not other & {row["person_id"] for row in table(tiny, "person")}
    assert cli([*arguments, "--workspace", str(tiny["workspace"])]) == 1
    assert "secrets" in capsys.readouterr().err


def test_without_any_vocabulary_a_run_still_ends(tiny, tmp_path):
    arguments = [
        "run",
        str(tiny["source"]),
        "--input",
        str(tiny["feed"]),
        "--workspace",
        str(tmp_path),
        "--no-vocabulary",
    ]
    assert cli(arguments) == 0
    assert {row["gender_concept_id"] for row in dataset(Lake(tmp_path).omop("person")).to_table().to_pylist()} == {0}


def test_explain_leads_back_to_the_line_of_the_file(tiny, capsys):
    row = next(row for row in table(tiny, "measurement") if row["measurement_source_value"] == "K")
    capsys.readouterr()
    cli(["explain", "measurement", str(row["measurement_id"]), "--workspace", str(tiny["workspace"]), "--json"])
    steps = json.loads(capsys.readouterr().out)
    assert (steps["source_table"], steps["line"], steps["mapping"]) == ("analyse", 3, "measurement.sql")


def explain(workspace: Path, capsys, *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = cli(["explain", *words, "--workspace", str(workspace), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_explain_shows_the_patient_for_a_reason_that_is_logged(tiny, capsys):
    row = next(row for row in table(tiny, "measurement") if row["measurement_source_value"] == "CREA")
    asked = ["measurement", str(row["measurement_id"]), "--identity"]
    code, steps = explain(tiny["workspace"], capsys, *asked, "--why", "recall of a reagent")
    assert code == 0
    patient = {"ipp": "8001", "nom": "ZURBRIGGEN", "telephone": "06 12 34 56 78"}
    assert steps["identity"] == {"person": patient, "stay": {"iep": "77001"}}
    last = json.loads((tiny["lake"].identity / "access.log").read_text().splitlines()[-1])
    assert last["why"] == f"explain measurement {row['measurement_id']}: recall of a reagent"
    assert last["source"] == "tiny" and last["who"] and last["at"]


def test_explain_opens_what_a_rotation_of_the_key_has_not_reached(tiny, capsys, monkeypatch):
    row = next(row for row in table(tiny, "measurement") if row["measurement_source_value"] == "CREA")
    asked = ["measurement", str(row["measurement_id"]), "--identity", "--why", "recall of a reagent"]
    keys_file = load_settings().keys_file
    monkeypatch.setattr("etl.identity.retired_keys", lambda _: [keys_file])
    monkeypatch.setenv("PASSERELLE_SECRET_CROSSWALK", "a new secret, longer than any that is too short")
    assert explain(tiny["workspace"], capsys, *asked)[1]["identity"]["stay"] == {"iep": "77001"}


@pytest.mark.parametrize("reason", [[], ["--why", "  "]])
def test_without_a_reason_nobody_is_shown_and_the_crosswalk_stays_shut(tiny, capsys, reason):
    log = tiny["lake"].identity / "access.log"
    (row, *_), before = table(tiny, "measurement"), log.read_text()
    code, answer = explain(tiny["workspace"], capsys, "measurement", str(row["measurement_id"]), "--identity", *reason)
    assert code == 2 and "identity" not in answer and log.read_text() == before


def test_without_the_option_no_identifier_is_shown(tiny, capsys):
    row = next(row for row in table(tiny, "measurement") if row["measurement_source_value"] == "CREA")
    before = (tiny["lake"].identity / "access.log").read_text()
    _, steps = explain(tiny["workspace"], capsys, "measurement", str(row["measurement_id"]))
    assert "identity" not in steps and "8001" not in {str(value) for value in steps.values()}
    assert (tiny["lake"].identity / "access.log").read_text() == before


def test_explain_says_that_an_era_or_a_period_has_no_row_of_its_own(tiny, capsys):
    (period, *_) = table(tiny, "observation_period")
    code, answer = explain(tiny["workspace"], capsys, "observation_period", str(period["observation_period_id"]))
    assert code == 2 and "made of many rows" in answer["do"]


def test_two_sources_share_a_workspace_and_keep_their_rows(tiny, tmp_path, capsys):
    from tests.hospital import SOURCE

    second = write_source(tmp_path / "second", source=SOURCE.replace("name: tiny", "name: second"))
    for source in (tiny["source"], second):
        assert cli(["run", str(source), "--input", str(tiny["feed"]), "--workspace", str(tmp_path / "W")]) == 0
    people = dataset(Lake(tmp_path / "W").omop("person")).to_table().to_pylist()
    assert len({row["person_id"] for row in people}) == 4
    assert len(dataset(Lake(tmp_path / "W").view("persons")).to_table()) == 4
    explained = [explain(tmp_path / "W", capsys, "person", str(row["person_id"]))[1] for row in people]
    assert sorted((steps["source"], steps["line"]) for steps in explained) == [
        ("second", 2),
        ("second", 3),
        ("tiny", 2),
        ("tiny", 3),
    ]


def test_dry_run_writes_nothing(tiny, tmp_path, capsys):
    assert (
        cli(["run", str(tiny["source"]), "--input", str(tiny["feed"]), "--workspace", str(tmp_path / "W"), "--dry-run"])
        == 0
    )
    assert "measurement" in capsys.readouterr().out and not (tmp_path / "W").exists()


def test_the_views_go_to_a_file_are_checked_and_compared_there(tiny, tmp_path, capsys):
    workspace, file = str(tiny["workspace"]), str(tmp_path / "views.duckdb")
    assert cli(["publish", str(tiny["source"]), "--workspace", workspace, "--to", file, "--json"]) == 0
    sent = json.loads(capsys.readouterr().out)["sent"]
    assert (sent[0]["to"], sent[0]["views"]["persons"]) == ("duckdb", len(table(tiny, "person")))
    lacking = {workspace: ["drug_exposure is not there or has no row"], file: []}  # the file holds no CDM table
    for place in (workspace, file):
        assert cli(["views", "check", "--on", place, "--json"]) == 0
        found = {row["view"]: row for row in json.loads(capsys.readouterr().out)}
        assert (found["stays"]["status"], found["drug_orders"]["status"]) == ("ok", "empty")
        assert found["drug_orders"]["findings"] == lacking[place]
    assert cli(["views", "compare", workspace, file]) == 0
    assert "NO" not in capsys.readouterr().out


def test_views_that_are_lacking_or_differ_are_an_error(tiny, tmp_path, capsys):
    import duckdb

    workspace, file = str(tiny["workspace"]), str(tmp_path / "views.duckdb")
    assert cli(["publish", str(tiny["source"]), "--workspace", workspace, "--to", file]) == 0
    with duckdb.connect(file) as connection:
        connection.execute("DELETE FROM views_v1.stays; DROP TABLE views_v1.deaths")
    assert cli(["views", "compare", workspace, file]) == 1
    assert cli(["views", "check", "--on", file]) == 1
    assert cli(["views", "install", "--on", workspace]) == 2  # the runs of a workspace write its views
    assert cli(["publish", str(tiny["source"]), "--workspace", workspace, "--to", "elsewhere"]) == 2
    assert "postgresql://" in capsys.readouterr().err
