"""What is known of failing kidneys beside the last result: those of the last days, and to which drugs they matter."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prescription_review.config import load_config
from models.prescription_review.features import build_cases
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.renal import ckd_epi_2009
from models.view_store import read_views
from tests.models.hospital_views import store_of, utc

NOW = utc("2025-03-20T09:00")
PERSON = {"person_id": 1, "year_of_birth": 1955, "birth_date": utc("1955-01-01"), "sex": "M"}
KNOWLEDGE = load_knowledge()


def result(number, days_ago, value, *, concept=3020564, unit="µmol/L"):
    at = NOW - timedelta(days=days_ago)
    return {
        "measurement_id": number, "person_id": 1, "measurement_concept_id": concept, "concept_name": "?",
        "measured_at": at, "value": value, "unit": unit, "available_at": at,
    }  # fmt: skip


def cases_of(results, atc="C08CA01", route="PO", knowledge=KNOWLEDGE):
    """One order, judged when it is written."""
    config = load_config().model_copy(update={"judged_within_hours": 0})
    order = {
        "drug_exposure_id": 1, "person_id": 1, "visit_occurrence_id": 1, "drug_concept_id": 0, "concept_name": atc,
        "source_code": atc, "atc_code": atc, "route_concept_id": 0, "route_source": route, "started_at": NOW,
        "dose_value": 10.0, "dose_unit": "mg", "doses_per_day": 2.0, "available_at": NOW,
    }  # fmt: skip
    store = store_of(persons=[PERSON], lab_results=results, drug_orders=[order])
    return build_cases(read_views(store, config.views, model="test"), config, knowledge)


def facts_of(*case):
    return {name: column[0] for name, column in cases_of(*case).rows.items()}


def filtration(creatinine, age):
    return ckd_epi_2009(np.array([age]), np.array([creatinine]), np.array([0.0]))[0]


@pytest.mark.parametrize(("days_ago", "remembered"), [(3, True), (9, True), (11, False), (40, False)])
def test_kidneys_that_have_recovered_are_remembered_for_ten_days(days_ago, remembered):
    found = facts_of([result(1, days_ago, 300.0), result(2, 0.5, 100.0)])
    assert found["filtration"] == pytest.approx(filtration(100.0, found["age"]))
    worst = filtration(300.0 if remembered else 100.0, found["age"])
    assert found["filtration_lowest"] == pytest.approx(worst)


def test_a_result_that_is_older_than_the_days_that_are_looked_at_still_tells_the_filtration():
    found = facts_of([result(1, 30, 200.0)])
    assert found["filtration_lowest"] == found["filtration"] == pytest.approx(filtration(200.0, found["age"]))


def test_the_highest_potassium_of_the_last_days_is_known():
    found = facts_of([result(n, days, value, concept=3023103, unit="mmol/L")
                      for n, (days, value) in enumerate([(20, 7.0), (4, 6.1), (1, 4.4)])])  # fmt: skip
    assert (found["potassium"], found["potassium_highest"], found["potassium_highest_id"]) == (4.4, 6.1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 14), st.integers(30, 70)), min_size=1, max_size=12, unique_by=lambda row: row[0])
)
def test_the_lowest_and_the_highest_result_are_named_with_their_value(rows):
    results = [result(n, days, value / 10, concept=3023103, unit="mmol/L") for n, (days, value) in enumerate(rows)]
    found, last = facts_of(results), min(days for days, _ in rows)
    recent = [value / 10 for days, value in rows if days <= 10]
    for which, of in (("lowest", min), ("highest", max)):
        name = f"potassium_{which}"
        if last > 7 or not recent:  # the last result is too old to speak
            assert np.isnan(found[name]) and found[f"{name}_id"] == -1
        else:
            assert found[name] == of(recent) == rows[found[f"{name}_id"]][1] / 10


@pytest.mark.parametrize(
    ("atc", "route", "below"),
    [
        ("N02AA05", "PO", 60.0),  # to be adapted, no maximum told
        ("N03AX12", "PO", 80.0),  # of several lines the highest
        ("J02AC03", "IV", 50.0),  # by this route alone
        ("J02AC03", "PO", None),
        ("C08CA01", "PO", None),
    ],
)
def test_the_margin_tells_how_far_the_kidneys_are_from_where_they_matter_to_the_drug(atc, route, below):
    found = facts_of([result(1, 1, 200.0)], atc, route)
    margin = found["filtration_lowest"] / (np.nan if below is None else below)
    assert found["kidney_margin"] == pytest.approx(margin, nan_ok=True)


@pytest.mark.parametrize(("action", "found"), [("adapt", []), ("reduce", ["renal"])])
def test_a_line_that_says_adapt_finds_nothing_even_with_a_maximum(tmp_path, action, found):
    line = KNOWLEDGE.renal_limits.head(1).assign(
        line="OWN-1", atc="C08CA01", route="any", clearance_from=0, clearance_below=90, action=action, max_daily=1,
        unit="mg", max_per_day="",
    )  # fmt: skip
    line.to_csv(tmp_path / "renal_limits.csv", index=False)
    cases = cases_of([result(1, 1, 200.0)], knowledge=load_knowledge(tmp_path))
    assert [rule for rule in cases.findings["rule"] if rule == "renal"] == found
