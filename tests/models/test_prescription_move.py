"""A model trained at chu_demo runs at chu_second, which has other tables, codes and units, through the views alone."""

import pytest

from benchmarks import prescription_review as goals


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(goals, "PATIENTS", 1_500)
        patched.setattr(goals, "AT_SECOND", 1_300)
        yield goals.hospitals(tmp_path_factory.mktemp("hospitals"))


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
