"""Training, evaluation and prediction end to end, on a small invented hospital and a real MLflow in SQLite."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.card import card
from models.drift import judged
from models.prescription_review.evaluate import evaluate
from models.prescription_review.features import FEATURES
from models.prescription_review.predict import predict
from models.prescription_review.read_first import CATEGORY
from models.prescription_review.rules import CATEGORIES
from models.prescription_review.train import NotEnoughLabels, reproduce, train
from models.prescription_review.wording import REVIEW, STATISTICAL
from models.registry import ModelNotFound, Registry
from passerelle.errors import ContractError
from tests.models.hospital_views import generate, utc

KNOWN_CATEGORIES = {*CATEGORIES.values(), *STATISTICAL, "DOSEL", REVIEW} - {"ROUTE"}  # a family; no code of FHIR


def test_the_report_is_json_with_plots_and_says_what_was_left_out(trained):
    report = json.loads(trained.report.to_json())
    rows = report["rows"]
    assert rows["reviewed"] + rows["unreviewed"] == rows["orders"]
    assert rows["train"] + rows["calibration"] + rows["test"] + rows["left_out"] == rows["reviewed"]
    assert any(f"{rows['unreviewed']} of {rows['orders']} orders were not reviewed" in note for note in report["notes"])
    months = report["months"]
    plots = {"discrimination", "calibration", "precision_at_budget", "decision_curve"}
    assert set(report["plots"]) == plots | ({"month_by_month"} if judged(months) else set())
    assert [row["month"] for row in months] == sorted({row["month"] for row in months})
    assert sum(row["n"] for row in months) == report["evaluation"]["rows"]
    assert sum(row["positives"] for row in months) == report["evaluation"]["positives"]
    assert "rule alerts" in str(trained.report) and "per 100 orders" in str(trained.report)
    assert all(svg.lstrip().startswith("<?xml") and "<svg" in svg for svg in report["plots"].values())


def test_the_model_finds_the_injected_errors_better_than_either_baseline(trained):
    evaluation = trained.report.evaluation
    assert list(evaluation["scores"]) == ["model", "rule alerts", "dose percentile"]
    for baseline in ("rule alerts", "dose percentile"):
        assert evaluation["gain_over"][baseline]["auroc"]["low"] > 0
    assert evaluation["scores"]["model"]["auroc"]["low"] > 0.8
    assert evaluation["calibration"]["ece"] < 0.05
    assert {row["by"] for row in evaluation["subgroups"]} >= {"age", "sex", "kidney function (mL/min)", "stay", "time"}


def test_the_alert_budget_learned_before_holds_on_the_test_part(trained):
    assert trained.report.alerts["alerts_per_100"] == pytest.approx(5, abs=2.5)


def test_each_prediction_carries_what_a_reader_must_be_able_to_check(trained):
    orders = set(trained.store.tables["drug_orders"]["drug_exposure_id"].to_pylist())
    labs = set(trained.store.tables["lab_results"]["measurement_id"].to_pylist())
    diagnoses = set(trained.store.tables["diagnoses"]["condition_occurrence_id"].to_pylist())
    rows = {"drug_exposure": orders, "measurement": labs, "condition_occurrence": diagnoses}
    every = predict(trained.store, tracking_uri=trained.tracking_uri)
    predictions = [one for one in every if one.category != CATEGORY]
    assert 50 < len(predictions) < 0.15 * len(orders)
    for prediction in predictions:
        assert prediction.evidence[0].table == "drug_exposure"
        assert prediction.occasion == f"drug_exposure:{prediction.evidence[0].row_id}"
        assert all(evidence.row_id in rows[evidence.table] for evidence in prediction.evidence)
        assert prediction.category in KNOWN_CATEGORIES
        assert prediction.contributions and prediction.message.endswith(".") and "{" not in prediction.message
        assert {c.feature for c in prediction.contributions} <= set(FEATURES)
        assert all(c.said for c in prediction.contributions)
        assert prediction.valid_until - prediction.valid_from == timedelta(hours=72)
        assert (prediction.view_contract, prediction.snapshot_id) == ("v1", "test-snapshot")
        assert prediction.model_version == trained.report.model_version == "0.1.1"
        assert prediction.model_sha256 == trained.report.model_sha256
    assert {"DOSEH", "LAB"} <= {prediction.category for prediction in predictions}


def test_patients_to_read_first_name_the_lines_that_make_them_so(trained):
    every = predict(trained.store, tracking_uri=trained.tracking_uri)
    of_orders = {one.occasion: one.probability for one in every if one.category != CATEGORY}
    alerts = {one.occasion: one.message for one in every if one.category != CATEGORY}
    patients = [one for one in every if one.category == CATEGORY]
    rows = {row["drug_exposure_id"]: row for row in trained.store.tables["drug_orders"].to_pylist()}
    days = {(row["person_id"], row["started_at"].date()) for row in rows.values()}
    assert 20 < len(patients) < 0.3 * len(days)
    assert len({(one.person_id, one.occasion) for one in patients}) == len(patients)
    for one in patients:
        assert one.severity is None and "à lire" in one.message and one.evidence
        assert {rows[e.row_id]["person_id"] for e in one.evidence} == {one.person_id}
        assert [c.label.partition(", ")[0] for c in one.contributions] == [e.label for e in one.evidence]
        for e in one.evidence:  # an alert on a line says the same there as on its own
            assert alerts.get(f"drug_exposure:{e.row_id}", f"{e.label}.").startswith(e.label)
            assert any(sentence.startswith(e.label) for sentence in re.split("D'abord |Puis ", one.message))
        alone = [alerts[f"drug_exposure:{e.row_id}"] for e in one.evidence if f"drug_exposure:{e.row_id}" in alerts]
        assert all(message.partition(". Pro")[0] in one.message for message in alone)
        rest = 1 - one.probability
        for c in one.contributions:  # without this order, whose chance has four decimals, so much less urgent
            without = 1 - rest / (1 - c.value)
            assert c.contribution == pytest.approx(one.probability - without, abs=1e-6 + 5e-5 / (1 - c.value))
    # What alarms most stands among them: the surest alerts are on a patient of the list.
    listed = {f"drug_exposure:{e.row_id}" for one in patients for e in one.evidence}
    surest = sorted(of_orders, key=of_orders.__getitem__)[-20:]
    assert len(listed & set(surest)) >= 18


def test_a_duplicate_or_an_interaction_names_both_orders(trained):
    predictions = predict(trained.store, tracking_uri=trained.tracking_uri, every_order=True)
    pairs = [p for p in predictions if p.category in ("DUPTHPY", "DRG")]
    assert pairs
    assert all(len({e.row_id for e in p.evidence if e.table == "drug_exposure"}) >= 2 for p in pairs)


def test_a_french_screen_shows_french_names(trained):
    english = trained.store.tables["drug_orders"]
    renamed = english.set_column(
        english.column_names.index("concept_name"), "concept_name", pa.array(["drug"] * len(english))
    )
    found = predict(trained.store.but(drug_orders=renamed), tracking_uri=trained.tracking_uri)
    assert found == predict(trained.store, tracking_uri=trained.tracking_uri)


def test_a_renal_alert_shows_the_creatinine_it_rests_on(trained):
    predictions = predict(trained.store, tracking_uri=trained.tracking_uri)
    renal = [p for p in predictions if p.category == "LAB" and p.severity == "high"]
    assert renal
    for prediction in renal:
        assert "mL/min" in prediction.message
        assert any(e.table == "measurement" and e.label.startswith("créatinine") for e in prediction.evidence)


@pytest.mark.parametrize("since", [utc("2024-08-01T00:00:00"), utc("2024-07-14T15:20:00")], ids=str)
def test_since_keeps_what_is_later_only(trained, since):
    every = predict(trained.store, tracking_uri=trained.tracking_uri)
    later = predict(trained.store, tracking_uri=trained.tracking_uri, since=since)
    assert later == [p for p in every if p.index_time >= since] and 0 < len(later) < len(every)


def test_training_twice_gives_the_same_model_version_and_figures(trained):
    again = train(trained.store, tracking_uri=trained.tracking_uri)
    assert again.model_sha256 == trained.report.model_sha256
    assert again.model_version == trained.report.model_version
    assert again.run_id != trained.report.run_id
    assert again.evaluation == trained.report.evaluation and again.plots == trained.report.plots


def test_the_order_of_the_rows_in_the_views_changes_nothing(trained):
    rng = np.random.default_rng(5)
    tables = {name: table.take(rng.permutation(len(table))) for name, table in trained.store.tables.items()}
    shuffled = replace(trained.store, tables=tables)
    calm, mixed = (predict(store, tracking_uri=trained.tracking_uri) for store in (trained.store, shuffled))
    assert calm == mixed


def test_a_run_is_reproducible_from_its_id_and_other_data_are_noticed(trained):
    run_id = trained.report.run_id
    assert reproduce(trained.store, tracking_uri=trained.tracking_uri, run_id=run_id)
    assert not reproduce(generate(seed=8), tracking_uri=trained.tracking_uri, run_id=run_id)


def test_the_registry_keeps_contract_snapshot_parameters_plots_and_model(trained):
    run = Registry(trained.tracking_uri).run("prescription_review", trained.report.run_id)
    assert run.tags["view_contract"] == "v1" and run.tags["snapshot_id"] == "test-snapshot"
    assert run.params["seed"] == "0" and "auroc" in run.metrics and "rule alerts.auroc" in run.metrics
    assert {path.name for path in run.folder.iterdir()} == {
        "learner.txt",
        "problem.txt",
        "usual_doses.csv",
        "associations.csv",
        "objections.csv",
        "model.json",
    }
    assert {path.suffix for path in run.folder.parent.iterdir() if path.is_file()} == {".svg", ".json"}


def test_the_model_folder_holds_no_person(trained):
    run = Registry(trained.tracking_uri).run("prescription_review", trained.report.run_id)
    text = "".join(path.read_text(encoding="utf-8") for path in run.folder.iterdir())
    persons = trained.store.tables["persons"]["person_id"].to_pylist()
    assert not any(str(person) in text for person in persons)


def test_evaluating_again_gives_the_figures_of_training(trained):
    again = evaluate(trained.store, tracking_uri=trained.tracking_uri)
    first = trained.report.evaluation["scores"]["model"]["auroc"]["value"]
    # Reviews that came after the cut may now be known, so the rows are the same or a few more.
    assert again.evaluation["scores"]["model"]["auroc"]["value"] == pytest.approx(first, abs=0.01)


def test_another_hospital_is_an_external_test_as_a_whole(trained):
    other = evaluate(generate(patients=150, seed=9), tracking_uri=trained.tracking_uri, rows="all")
    assert 0.5 < other.rows["all"] / other.rows["reviewed"] < 0.8  # the first orders show what is usual there
    assert other.evaluation["scores"]["model"]["auroc"]["value"] > 0.75


def test_the_card_shows_the_readme_and_the_figures_of_the_version(trained):
    text = card("prescription_review", tracking_uri=trained.tracking_uri)
    assert text.startswith("# ") and trained.report.run_id in text and "| auroc |" in text


@pytest.mark.parametrize("command", [train, evaluate, predict])
def test_another_view_contract_is_refused(trained, command):
    with pytest.raises(ContractError, match="v1") as caught:
        command(replace(trained.store, contract="v2"), tracking_uri=trained.tracking_uri)
    assert "v2" in caught.value.what and caught.value.do


@pytest.mark.parametrize("view", ["lab_results", "order_reviews"])
def test_an_absent_view_is_refused_by_name(trained, view):
    tables = {name: table for name, table in trained.store.tables.items() if name != view}
    with pytest.raises(ContractError, match=view):
        train(replace(trained.store, tables=tables), tracking_uri=trained.tracking_uri)


def test_an_absent_column_is_refused_by_name(trained):
    poorer = trained.store.but(drug_orders=trained.store.tables["drug_orders"].drop_columns(["doses_per_day"]))
    with pytest.raises(ContractError, match="drug_orders") as caught:
        predict(poorer, tracking_uri=trained.tracking_uri)
    assert "doses_per_day" in caught.value.looked


def test_a_hospital_without_reviews_cannot_train_and_is_told_why(trained):
    silent = trained.store.but(order_reviews=trained.store.tables["order_reviews"].slice(0, 0))
    with pytest.raises(NotEnoughLabels, match="0 interventions"):
        train(silent, tracking_uri=trained.tracking_uri)


def test_a_registry_without_the_model_says_what_to_do(trained, tmp_path: Path):
    with pytest.raises(ModelNotFound) as caught:
        predict(trained.store, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert caught.value.do.startswith("passerelle train prescription_review; ")


def test_a_moved_workspace_still_finds_its_model(trained, tmp_path: Path):
    old = Path(trained.tracking_uri.removeprefix("sqlite:///")).parent
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in [path for path in old.rglob("*") if path.is_file()]:
        target = moved / path.relative_to(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert Registry(f"sqlite:///{moved}/mlflow.db").load("prescription_review").folder.is_relative_to(moved)


def test_the_contract_of_predictions_loads_no_heavy_library():
    probe = (
        "import sys, models.contract, models.view_store, models.prescription_review; "
        "print(*{'mlflow', 'lightgbm', 'sklearn', 'matplotlib', 'pandas'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", probe], text=True).strip() == ""
