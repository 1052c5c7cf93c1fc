"""What leaves a hospital, and how the figures of several become one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import calibration_line, calibration_slope_error, sigmoid
from models.disclosure import MIN_CELL, suppress_bins, suppress_subgroups
from models.pooling import PLAIN, RATIO, SHARE, pool, pool_intervals
from models.study import centre_result, merge_results

# Thirteen trials of the BCG vaccine (Colditz et al., JAMA 1994): log risk ratio and variance, as in every textbook.
BCG = [
    (-0.8893, 0.3256), (-1.5854, 0.1946), (-1.3481, 0.4154), (-1.4416, 0.0200), (-0.2175, 0.0512), (-0.7861, 0.0069),
    (-1.6209, 0.2230), (0.0120, 0.0040), (-0.4694, 0.0564), (-1.3713, 0.0730), (-0.3394, 0.0124), (0.4459, 0.5325),
    (-0.0173, 0.0714),
]  # fmt: skip
STUDY = {"model": "m", "model_version": "0.1.1", "model_sha256": "abc", "contract": "v1"}
PLAN = {**STUDY, "min_cell": MIN_CELL, "trained_on": "another"}


def test_random_effects_agree_with_the_textbook():
    found = pool([e for e, _ in BCG], [v for _, v in BCG], RATIO)
    assert (found.centres, found.tau2, found.i2) == (
        13,
        pytest.approx(0.3088, abs=2e-3),
        pytest.approx(0.921, abs=2e-3),
    )
    assert np.log(found.value) == pytest.approx(-0.7141, abs=2e-3)
    assert found.predicted_low < found.low < found.value < found.high < found.predicted_high


def test_one_centre_is_given_back_as_it_is():
    found = pool_intervals([{"value": 0.8, "low": 0.75, "high": 0.84}], SHARE)
    assert (found.centres, found.value) == (1, pytest.approx(0.8))
    assert pool_intervals([{"value": None, "low": None, "high": None}], SHARE).centres == 0


effects = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.001, 2)), min_size=2, max_size=8)


@given(effects)
def test_the_order_of_centres_is_irrelevant_and_the_value_lies_between_them(rows):
    found, turned = (pool([e for e, _ in order], [v for _, v in order], PLAIN) for order in (rows, rows[::-1]))
    assert found.value == pytest.approx(turned.value) and found.low == pytest.approx(turned.low)
    assert min(e for e, _ in rows) - 1e-9 <= found.value <= max(e for e, _ in rows) + 1e-9


groups = st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), min_size=1, max_size=6)


@given(groups)
def test_no_small_cell_is_told_and_none_can_be_worked_out(cells):
    rows = [
        {"by": "age", "group": str(i), "n": n, "positives": round(n * share), "auroc": None}
        for i, (n, share) in enumerate(cells)
    ]
    found = suppress_subgroups(rows)
    hidden = [row for row in found if row["suppressed"]]
    assert all("n" not in row for row in hidden)
    assert all(min(r["positives"], r["n"] - r["positives"]) >= MIN_CELL for r in found if not r["suppressed"])
    assert len(hidden) != 1 or len(rows) == 1  # one alone would be the total minus the others


@given(groups)
def test_no_bin_of_a_calibration_curve_is_small(cells):
    bins = [{"n": n, "forecast": share, "observed": round(n * share) / n} for n, share in cells if n]
    found = suppress_bins(bins)
    assert all(min(n := row["n"], p := round(n * row["observed"]), n - p) >= MIN_CELL for row in found)
    assert not found or sum(row["n"] for row in found) == sum(row["n"] for row in bins)


def test_the_error_of_the_calibration_slope_is_that_of_repeated_samples():
    rng = np.random.default_rng(0)
    slopes, errors = [], []
    for _ in range(200):
        x = rng.normal(-1, 1, 800)
        truth = (rng.random(800) < sigmoid(0.8 * x)).astype(float)
        slopes.append(calibration_line(sigmoid(x), truth)[0])
        errors.append(calibration_slope_error(sigmoid(x), truth))
    assert np.mean(errors) == pytest.approx(np.std(slopes), rel=0.15)


def report(positives: int, auroc: float) -> dict:
    interval = {"value": auroc, "low": auroc - 0.03, "high": auroc + 0.03, "resamples": 100}
    bins = [{"n": 100, "forecast": 0.1 * i, "observed": 0.1 * i} for i in range(10)]
    line = {"slope": 0.9, "slope_error": 0.1, "intercept": 0.0, "ece": 0.01, "brier": 0.1, "brier_skill": 0.2}
    group = {"by": "sex", "prevalence": 0.1, "mean_forecast": 0.1, "auroc": interval}
    return {
        "snapshot_id": "s",
        "evaluation": {
            "rows": 1000,
            "persons": 300,
            "positives": positives,
            "scores": {"model": {"auroc": interval, "average_precision": interval, "at_budget": []}},
            "calibration": {**line, "mean_forecast": 0.1, "bins": bins},
            "subgroups": [
                {**group, "group": "F", "n": 600, "positives": positives - 4},
                {**group, "group": "M", "n": 400, "positives": 4},
            ],
        },
    }


def test_the_results_of_two_centres_are_pooled_and_small_groups_are_not_told():
    results = [centre_result(report(120, 0.8), "A", PLAN), centre_result(report(90, 0.7), "B", PLAN)]
    assert [row["suppressed"] for row in results[0]["subgroups"]] == [True, True]
    merged = merge_results([json.loads(json.dumps(result)) for result in results])
    pooled = merged["discrimination"]["model"]["auroc"]
    assert pooled["centres"] == 2 and 0.7 < pooled["value"] < 0.8
    assert merged["calibration"]["observed_over_expected"]["value"] == pytest.approx(1.04, abs=0.05)
    assert merged["subgroups"][0]["suppressed_in"] == 2


def test_a_centre_with_few_cases_tells_nothing_and_is_counted():
    few = centre_result(report(9, 0.8), "C", PLAN)
    assert few["suppressed"] and "rows" not in few and "scores" not in few
    merged = merge_results([few, centre_result(report(120, 0.8), "A", PLAN)])
    assert [centre["suppressed"] for centre in merged["centres"]] == [True, False]
    assert merged["discrimination"]["model"]["auroc"]["centres"] == 1


def test_the_centre_that_trained_the_model_is_told_and_not_pooled():
    there = centre_result(report(120, 0.95), "trained", {**PLAN, "trained_on": "s"})
    merged = merge_results([there, centre_result(report(120, 0.8), "A", PLAN)])
    assert [centre["trained_here"] for centre in merged["centres"]] == [True, False]
    pooled = merged["discrimination"]["model"]["auroc"]
    assert pooled["centres"] == 1 and pooled["value"] == pytest.approx(0.8)
