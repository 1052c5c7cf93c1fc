"""Laws of the pieces that all models share: ranking, bootstrap, calibration, splits."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import calibration
from models.bootstrap import cluster_interval, cluster_weights
from models.ranking import Ranking
from models.splits import Cut, assign, choose_cut, person_folds

samples = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(1, 4)), min_size=2, max_size=60
)  # positive, score (with ties), weight


def arrays(rows):
    return tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))


@given(samples)
def test_auroc_and_average_precision_are_those_of_scikit_learn(rows):
    from sklearn.metrics import average_precision_score, roc_auc_score

    positive, score, weight = arrays(rows)
    ranking = Ranking.of(positive, score)
    if positive.sum() == 0:
        assert np.isnan(ranking.average_precision(weight)) and np.isnan(ranking.auroc(weight))
        return
    expected = average_precision_score(positive, score, sample_weight=weight)
    assert ranking.average_precision(weight) == pytest.approx(expected)
    if positive.sum() < len(positive):
        assert ranking.auroc(weight) == pytest.approx(roc_auc_score(positive, score, sample_weight=weight))


@given(samples)
def test_a_row_weighted_twice_is_a_row_written_twice(rows):
    positive, score, weight = arrays(rows)
    times = weight.astype(int)
    written = Ranking.of(np.repeat(positive, times), np.repeat(score, times))
    weighted = Ranking.of(positive, score)
    for budget in (0.1, 0.5, 1.0):
        assert weighted.hits_at(budget, weight) == pytest.approx(written.hits_at(budget))


@given(samples, st.floats(0.05, 1))
def test_precision_within_a_budget_does_not_depend_on_the_order_of_the_rows(rows, budget):
    positive, score, _ = arrays(rows)
    forward, backward = Ranking.of(positive, score), Ranking.of(positive[::-1], score[::-1])
    assert forward.precision_at(budget) == pytest.approx(backward.precision_at(budget), nan_ok=True)


def test_the_whole_budget_has_the_prevalence_as_precision_and_finds_all():
    ranking = Ranking.of([0, 1, 0, 0], [0.1, 0.9, 0.5, np.nan])
    assert (ranking.precision_at(1.0), ranking.recall_at(1.0)) == (0.25, 1.0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 99))
def test_bootstrap_draws_whole_patients_and_as_many_as_there_are(persons, seed):
    persons = np.array(persons)
    for weights in cluster_weights(persons, 5, seed):
        of_person = {person: set(weights[persons == person]) for person in np.unique(persons)}
        assert all(len(values) == 1 for values in of_person.values())
        assert sum(values.pop() for values in of_person.values()) == len(of_person)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=40), st.integers(0, 99))
def test_interval_is_reproducible_and_holds_the_extremes_of_the_draws(values, seed):
    values, persons = np.array(values), np.arange(len(values)) // 2

    def mean(weights):
        return float((values * weights).sum() / weights.sum())

    one, two = (cluster_interval(mean, persons, resamples=50, seed=seed) for _ in range(2))
    assert one == two
    assert values.min() - 1e-9 <= one.low <= one.high <= values.max() + 1e-9


def test_more_rows_of_the_same_patients_do_not_narrow_the_interval():
    values, persons = np.random.default_rng(0).normal(size=40), np.arange(40)

    def width(times):
        repeated = np.tile(values, times)
        found = cluster_interval(
            lambda weights: float((repeated * weights).sum() / weights.sum()), np.tile(persons, times), resamples=200
        )
        return found.high - found.low

    assert width(10) == pytest.approx(width(1))


def test_an_interval_that_exists_in_no_resample_says_so():
    found = cluster_interval(lambda weights: float("nan"), np.arange(4), resamples=10)
    assert found.resamples == 0 and found.as_dict()["low"] is None


probabilities = st.lists(st.floats(0, 1), min_size=30, max_size=120)


@given(probabilities, st.integers(0, 99), st.sampled_from(["auto", "platt", "isotonic"]))
def test_a_calibrator_keeps_the_order_and_gives_probabilities(raw, seed, method):
    positive = (np.random.default_rng(seed).random(len(raw)) < np.array(raw)).astype(float)
    calibrator = calibration.fit_calibrator(raw, positive, method)
    grid = calibrator.apply(np.linspace(0, 1, 50))
    assert ((grid > 0) & (grid < 1)).all()
    slope_is_negative = calibrator.kind == "platt" and calibrator.x[0] < 0
    assert slope_is_negative or (np.diff(grid) >= -1e-12).all()
    again = calibration.Calibrator.from_dict(calibrator.as_dict())
    assert (again.apply(raw) == calibrator.apply(raw)).all()


def test_platt_repairs_probabilities_that_are_too_sure():
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.02, 0.98, 4000)
    positive = (rng.random(4000) < truth).astype(float)
    too_sure = calibration.sigmoid(3 * calibration.logit(truth))
    repaired = calibration.fit_calibrator(too_sure, positive, "platt").apply(too_sure)
    assert calibration.expected_calibration_error(too_sure, positive) > 0.1
    assert calibration.expected_calibration_error(repaired, positive) < 0.03
    assert calibration.calibration_line(too_sure, positive)[0] == pytest.approx(1 / 3, abs=0.05)
    assert calibration.calibration_line(repaired, positive) == (pytest.approx(1, abs=0.05), pytest.approx(0, abs=0.1))


def test_too_few_positives_leave_the_probability_alone_and_say_so():
    assert calibration.fit_calibrator([0.1] * 50, [1.0] * 4 + [0.0] * 46).kind == "identity"


CALIBRATORS = [
    calibration.Calibrator("identity"),
    calibration.Calibrator("platt", (1.3, -0.4)),
    calibration.Calibrator("isotonic", (0.05, 0.2, 0.6), (0.01, 0.3, 0.5)),
]
RARER = {"less of it there": lambda one: one.shifted(-1.0), "less of it seen there": lambda one: one.scaled(0.6)}


@given(st.sampled_from(CALIBRATORS), st.floats(-5, 5), probabilities)
def test_a_shifted_calibrator_adds_the_same_log_odds_everywhere(calibrator, more, raw):
    at = np.array(calibrator.x) if calibrator.kind == "isotonic" else raw  # between its points it is a straight line
    before, after = (calibration.logit(one.apply(at)) for one in (calibrator, calibrator.shifted(more)))
    assert after == pytest.approx(before + more, abs=1e-6)


@given(st.sampled_from(CALIBRATORS), st.floats(0.05, 1, exclude_max=True), probabilities)
def test_a_scaled_calibrator_multiplies_and_is_written_and_read(calibrator, factor, raw):
    scaled = calibrator.scaled(factor)
    assert scaled.apply(raw) == pytest.approx(np.maximum(factor * calibrator.apply(raw), calibration.EDGE))
    assert calibration.Calibrator.from_dict(scaled.as_dict()) == scaled
    assert calibration.Calibrator.from_dict({"kind": "identity", "x": [], "y": []}).factor == 1  # of an earlier version


@pytest.mark.parametrize("rarer", RARER)
@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda one: one.kind)
def test_few_rows_hardly_move_a_calibrator_and_many_do(calibrator, rarer):
    rng = np.random.default_rng(4)
    raw = rng.uniform(0.02, 0.7, 20_000)
    there = rng.random(20_000) < RARER[rarer](calibrator).apply(raw)
    here = rng.random(20_000) < calibrator.apply(raw)
    few, error = slice(0, 60), calibration.expected_calibration_error

    def moved(rows: slice, outcome: np.ndarray) -> np.ndarray:
        return calibration.update_calibrator(calibrator, raw[rows], outcome[rows]).apply(raw)

    before = calibrator.apply(raw)
    assert (moved(slice(0, 0), there) == before).all()
    assert np.abs(moved(few, here) - before).max() < 0.12
    assert np.abs(moved(slice(None), here) - before).max() < 0.01
    assert error(before, there) > 0.05 and error(moved(slice(None), there), there) < 0.02
    factor = calibration.update_calibrator(calibrator, raw, there).factor
    assert (factor == pytest.approx(0.6, abs=0.03)) == (rarer == "less of it seen there")


@given(st.sampled_from(CALIBRATORS), probabilities, st.integers(0, 99), st.floats(0.02, 0.9))
def test_a_calibrator_that_moved_is_likelier_where_it_went(calibrator, raw, seed, share):
    outcome = (np.random.default_rng(seed).random(len(raw)) < share).astype(float)
    moved = calibration.update_calibrator(calibrator, raw, outcome)
    before, after = (np.log(np.abs(1 - outcome - one.apply(raw))).sum() for one in (calibrator, moved))
    assert after >= before - 0.01


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda one: one.kind)
def test_a_calibrator_with_a_factor_is_moved_again(calibrator):
    rng = np.random.default_rng(6)
    raw, once = rng.uniform(0.02, 0.7, 20_000), calibrator.scaled(0.5)
    there = rng.random(20_000) < calibrator.scaled(0.8).apply(raw)
    moved = calibration.update_calibrator(once, raw, there)
    assert calibration.expected_calibration_error(moved.apply(raw), there) < 0.02


@given(probabilities)
def test_calibration_error_is_between_0_and_1_and_0_for_its_own_observed_share(raw):
    positive = np.arange(len(raw)) % 2
    assert 0 <= calibration.expected_calibration_error(raw, positive) <= 1
    constant = np.full(len(raw), positive.mean())
    assert calibration.brier_skill(constant, positive) == pytest.approx(0)
    assert calibration.brier_skill(positive, positive) == 1


def test_perfect_probabilities_show_the_error_of_chance_which_falls_with_the_rows():
    rng = np.random.default_rng(5)
    few, many = rng.uniform(0.02, 0.6, 400), rng.uniform(0.02, 0.6, 40_000)
    shown = [calibration.expected_calibration_error(few, rng.random(400) < few) for _ in range(50)]
    assert calibration.error_of_chance(few) == pytest.approx(np.mean(shown), rel=0.15)
    assert calibration.error_of_chance(many) < calibration.error_of_chance(few) / 5


def test_reliability_bins_hold_the_same_number_of_rows():
    rows = calibration.reliability(np.linspace(0, 1, 103), np.zeros(103))
    assert {row["n"] for row in rows} == {10, 11} and len(rows) == 10


events = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12)), min_size=4, max_size=80)


@given(events)
def test_no_patient_is_on_two_sides_and_time_goes_forward(rows):
    days, persons = (np.array(column) for column in zip(*rows, strict=True))
    times = np.datetime64("2024-01-01", "us") + days * np.timedelta64(1, "D")
    cut = choose_cut(times)
    part = assign(times, persons, cut)
    sides = [set(persons[part == name]) for name in ("train", "calibration", "test")]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    for earlier, later in (("train", "calibration"), ("calibration", "test"), ("train", "test")):
        if (part == earlier).any() and (part == later).any():
            assert times[part == earlier].max() < times[part == later].min()
    assert Cut.from_dict(cut.as_dict()) == cut


@given(events, st.integers(2, 6))
def test_the_fold_of_a_patient_depends_on_nobody_else(rows, folds):
    persons = np.array([person for _, person in rows]) + 2**60
    together = person_folds(persons, folds, seed=1)
    alone = [person_folds(persons[i : i + 1], folds, seed=1)[0] for i in range(len(persons))]
    assert together.tolist() == alone and together.max() < folds


def test_folds_are_of_like_size():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no overflow warning either
        counts = np.bincount(person_folds(np.arange(5000) + 2**53, 5, seed=0))
    assert counts.min() > 850
