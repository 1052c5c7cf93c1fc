"""A model trained at chu_demo runs at chu_second, which has other tables, codes and units, through the views alone."""

import json

import pytest
from typer.testing import CliRunner

from benchmarks import prescription_review as goals
from passerelle.cli.app import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hospitals")


@pytest.fixture(scope="module")
def hospitals(folder):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(goals, "PATIENTS", 1_500)
        patched.setattr(goals, "AT_SECOND", 2_000)
        yield goals.hospitals(folder)


def test_orders_are_told_apart_at_the_other_hospital_too(hospitals):
    away = hospitals.away.evaluation
    model = away["scores"]["model"]["auroc"]
    assert away["positives"] > 30 and model["low"] > 0.75
    assert away["gain_over"]["rule alerts"]["auroc"]["low"] > 0
    # The bar of 0.03 is for a model of a whole hospital: `make bench-models`.
    assert hospitals.home.evaluation["scores"]["model"]["auroc"]["value"] - model["value"] < 0.1


def test_patients_are_ranked_better_than_by_rules_or_by_the_query(hospitals):
    gain = hospitals.away.triage["gain_over"]
    assert gain["multicriteria query"]["auroc"]["low"] > 0
    assert gain["rule alerts"]["auroc"]["value"] > 0  # so few patients: its interval holds 0


def test_nothing_of_the_first_hospital_is_read_at_the_second(hospitals):
    assert hospitals.away.snapshot_id != hospitals.home.snapshot_id
    assert hospitals.away.model_sha256 == hospitals.home.model_sha256
    assert hospitals.away.rows["all"] < hospitals.away.rows["reviewed"]


def test_the_commands_carry_it_there_and_it_keeps_its_alert_budget(hospitals, folder):
    """What the data teams of both hospitals type, in their words and their order."""
    home, away, file = folder / "home", folder / "away", folder / "review.study.zip"

    def typed(*words):
        found = CliRunner().invoke(app, [*map(str, words), "--json"])
        assert found.exit_code == 0, found.output + str(found.exception)
        return json.loads(found.stdout)

    typed("study", "pack", "prescription_review", "--workspace", home, "--out", file)
    adapted = typed("adapt", "prescription_review", "--workspace", away, "--from", file)
    assert adapted["snapshot_id"] == hospitals.away.snapshot_id and adapted["model_version"] == "0.1.2"
    assert adapted["evaluation"]["gain_over"]["as it came"]["auroc"]["low"] > 0
    judged = typed("evaluate", "prescription_review", "--workspace", away)
    assert judged["model_sha256"] == adapted["model_sha256"]
    found = typed("predict", "prescription_review", "--workspace", away)
    orders = adapted["rows"]["orders"]
    assert 0.03 * orders < found["predictions"] < 0.15 * orders  # orders and patients to look at, not half of them
