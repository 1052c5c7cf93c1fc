"""The future must not move a feature or a prediction: everything known after an instant is replaced by noise."""

import pandas as pd
import pytest

from models.prescription_review.config import load_config
from models.prescription_review.features import build_cases
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.predict import predict
from models.prescription_review.read_first import CATEGORY
from models.view_store import read_views
from tests.models.hospital_views import noisy_after, utc

INSTANTS = [utc("2024-03-10T13:37:00"), utc("2024-07-01T00:00:00")]


def cases_until(store, instant):
    config = load_config()
    cases = build_cases(read_views(store, config.views, model="test"), config, load_knowledge())
    orders = cases.orders[cases.orders["index_time"] <= pd.Timestamp(instant).tz_localize(None)]
    orders = orders.drop(columns=["end_time"]).reset_index(drop=True)  # the order's own end is never a feature
    findings = cases.findings[cases.findings["drug_exposure_id"].isin(orders["drug_exposure_id"])]
    of = cases.rows["drug_exposure_id"][cases.beside["at"]]
    beside = pd.DataFrame({**cases.beside, "at": of})[pd.Series(of).isin(orders["drug_exposure_id"])]
    return orders, findings.reset_index(drop=True), beside.sort_values(["at", "kind", "fine"], ignore_index=True)


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_noise_after_an_instant_changes_no_feature_before_it(hospital, instant):
    quiet, noisy = cases_until(hospital, instant), cases_until(noisy_after(hospital, instant), instant)
    orders, findings, beside = quiet
    assert len(orders) > 100 and len(findings) > 20 and beside["kind"].nunique() > 6
    for one, other in zip(quiet, noisy, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_noise_after_an_instant_changes_no_prediction_before_it(trained):
    instant = INSTANTS[1]
    quiet = predict(trained.store, tracking_uri=trained.tracking_uri, every_order=True)
    noisy = predict(noisy_after(trained.store, instant), tracking_uri=trained.tracking_uri, every_order=True)
    before = [[p for p in found if p.index_time <= instant] for found in (quiet, noisy)]
    assert len(before[0]) > 100
    assert before[0] == before[1]


def test_noise_after_an_instant_changes_no_patient_of_a_day_before_it(trained):
    instant = INSTANTS[1]
    quiet = predict(trained.store, tracking_uri=trained.tracking_uri)
    noisy = predict(noisy_after(trained.store, instant), tracking_uri=trained.tracking_uri)
    last = f"orders_of_day:{instant.date().isoformat()}"
    before = [[p for p in found if p.category == CATEGORY and p.occasion < last] for found in (quiet, noisy)]
    assert len(before[0]) > 20
    assert before[0] == before[1]


def test_a_store_read_as_of_an_instant_gives_the_same_predictions_up_to_it(trained):
    instant = INSTANTS[1]
    whole = predict(trained.store, tracking_uri=trained.tracking_uri, every_order=True)
    then = predict(trained.store, tracking_uri=trained.tracking_uri, as_of=instant, every_order=True)
    assert [p for p in then if p.index_time < instant] == [p for p in whole if p.index_time < instant]
    # Those written in the two days before are judged with what was known at the instant.
    assert {p.index_time for p in then if p.index_time >= instant} == {instant}


def test_predicting_reads_no_review(trained):
    trained.store.reads.clear()
    predict(trained.store, tracking_uri=trained.tracking_uri)
    assert trained.store.reads and "order_reviews" not in trained.store.reads
