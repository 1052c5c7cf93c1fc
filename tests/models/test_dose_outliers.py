"""Doses that stand out: laws that hold for any hospital, and cases that a clinician can read."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.prescription_doses import Drug, learned_cuts, read_orders
from models.prescription_review.columns import columns_of, take
from models.prescription_review.dose_cut import NoDrugToLearnFrom, Usage, describe, f1_of_cuts, fit
from models.prescription_review.dose_errors import FACTORS, RATE, SHARES, draw_factors
from models.prescription_review.dose_neighbours import Neighbours
from models.prescription_review.dose_outliers import GRAVEST, DoseOutliers, NotEnoughOrders, Usual, cross_scores
from models.prescription_review.dose_reference import DoseReference

USUAL = {"amoxicillin": [500, 1000], "enoxaparin": [40], "morphine": [5, 10, 20, 30, 60], "zinc": [15]}


def hospital(people=80, each=10, seed=0):
    """Orders of usual doses: each patient keeps to one dose of a drug."""
    chance = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        own = {drug: float(chance.choice(doses)) for drug, doses in USUAL.items()}
        for drug in chance.choice(list(USUAL), each):
            rows.append((str(drug), "mg", "oral", own[drug], 2.0, "BID", 60.0, person))
    names = ["drug", "unit", "route", "dose", "per_day", "wording", "age", "person_id"]
    return columns_of(pd.DataFrame(rows, columns=names))


@pytest.fixture(scope="module")
def learned():
    return DoseOutliers.learn(hospital())


def order(drug, dose, person=999, per_day=2.0, wording="BID", age=60.0):
    return {
        "drug": np.array([drug], object), "unit": np.array(["mg"], object), "route": np.array(["oral"], object),
        "dose": np.array([dose], float), "per_day": np.array([per_day]), "wording": np.array([wording], object),
        "age": np.array([age]), "person_id": np.array([person]),
    }  # fmt: skip


# --- the mechanism of errors -----------------------------------------------------------------------------------------


def test_errors_are_put_into_the_orders_of_the_protocol_as_the_model_sees_them(shared_data):
    orders = read_orders(shared_data)
    assert len(orders["dose"]) == 10_316
    assert set(orders["unit"]) & {"g", "gm", "mcg"} == set()
    furosemide = orders["drug"] == "C03CA01"
    assert set(orders["route"][furosemide]) == {"oral", "parenteral"}
    assert (np.diff(orders["person_id"]) >= 0).all()


def test_errors_are_made_as_often_as_said_and_the_same_with_the_same_seed():
    factor = draw_factors(10_000, seed=3)
    assert (factor != 1).sum() == round(RATE * 10_000)
    assert set(factor) <= {1.0, *FACTORS}
    assert SHARES.sum() == pytest.approx(1)
    np.testing.assert_array_equal(factor, draw_factors(10_000, seed=3))


# --- where overdoses of a drug begin ---------------------------------------------------------------------------------

levels = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 500)), min_size=2, max_size=12, unique_by=lambda x: x[0])


def usage_of(rows):
    return Usage.of(np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], float))


def known(number, seed=0):
    """Drugs whose cut is known: one usual dose, a few below, rare ones above the maximum."""
    chance = np.random.default_rng(seed)
    drugs = []
    for _ in range(number):
        usage = usage_of(
            [(5, 40), (10, 900), (20, 200), *((30 + 10 * i, int(chance.integers(1, 9))) for i in range(3))]
        )
        drugs.append((usage, describe(usage), 2))
    return drugs


@given(levels)
def test_chance_of_overdose_never_falls_with_the_dose(rows):
    usage = usage_of(rows)
    chance = fit(known(4)).overdose_probability(describe(usage))
    assert (np.diff(chance) >= -1e-12).all()
    assert ((chance >= 0) & (chance <= 1 + 1e-12)).all()


@given(levels, st.sampled_from([1e-6, 0.001, 0.3, 7.0, 1e6]))
def test_the_unit_changes_nothing(rows, factor):
    model = fit(known(4))
    one, other = usage_of(rows), usage_of([(dose * factor, orders) for dose, orders in rows])
    np.testing.assert_allclose(describe(one), describe(other))
    assert model.best_cut(one, describe(one)) == model.best_cut(other, describe(other))
    np.testing.assert_allclose(describe(one, 10.0), describe(other, 10.0 * factor))


@given(levels, st.integers(0, 11))
def test_f1_of_the_true_cut_is_the_highest(rows, number):
    usage = usage_of(rows)
    cut = min(number, len(usage.level) - 1)
    assert f1_of_cuts(usage, cut)[cut] == 1.0 == f1_of_cuts(usage, cut).max()


@pytest.mark.parametrize("knowing", [False, True])
def test_a_drug_is_judged_without_its_own_labels(knowing):
    def drug(usage, cut):
        overdoses = np.where(np.arange(len(usage.level)) > cut, usage.orders, 0.0)
        return Drug(usage, overdoses, np.zeros(0, int), np.zeros(0, bool), maximum=20.0)

    drugs = {str(number): drug(usage, cut) for number, (usage, _, cut) in enumerate(known(4))}
    relabelled = drugs | {"0": drug(drugs["0"].usage, 0)}
    before, after = (learned_cuts(some, knowing=knowing)["0"] for some in (drugs, relabelled))
    assert before == after == 2


def test_a_maximum_daily_dose_that_was_right_elsewhere_is_believed():
    def with_maximum(usage, cut):
        return usage, describe(usage, float(usage.level[cut])), cut

    shapes = [[(5, 40), (10, 900), (20, 30), (30, 9), (40, 5)], [(1, 9), (2, 500), (4, 400), (8, 30), (16, 9)]]
    drugs = [with_maximum(usage_of(shape), cut) for shape in shapes for cut in (1, 2, 3)]
    usage = usage_of([(5, 300), (10, 300), (20, 300), (30, 300)])
    model = fit(drugs)
    assert [model.best_cut(usage, describe(usage, maximum)) for maximum in (5.0, 10.0, 25.0)] == [0, 1, 2]


def test_doses_computed_differently_are_one_level():
    usage = Usage.of(np.array([1.0, 1.0000000002, 0.9999999999, 2.0]))
    assert usage.orders.tolist() == [3, 1]
    assert usage.levels_of(np.array([0.5, 1.0000000002, 1.5, 2.0, 9.0])).tolist() == [-1, 0, 0, 1, 1]
    assert usage.share_above.tolist() == [0.25, 0.0]


def test_missing_and_impossible_doses_are_no_level():
    usage = Usage.of(np.array([np.nan, 0.0, -1.0, np.inf, 5.0]))
    assert usage.level.tolist() == [5.0]
    nothing = Usage.of(np.array([]))
    assert fit(known(3)).best_cut(nothing, describe(nothing)) == -1


def test_a_drug_with_one_dose_has_no_overdose():
    usage = Usage.of(np.full(100, 5.0))
    model = fit(known(3))
    assert model.best_cut(usage, describe(usage)) == 0
    assert model.overdose_probability(describe(usage)).tolist() == [0.0]


def test_nothing_to_learn_from_is_said():
    with pytest.raises(NoDrugToLearnFrom):
        fit([(Usage.of(np.full(9, 5.0)), describe(Usage.of(np.full(9, 5.0))), 0)])


def test_learning_twice_gives_the_same_cut_model():
    one, other = fit(known(6)), fit(known(6))
    np.testing.assert_array_equal(one.weight, other.weight)


# --- errors in orders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drug", "usual", "wrong"),
    [("enoxaparin", 40, 400), ("zinc", 15, 150), ("amoxicillin", 1000, 10_000)],
)
def test_a_tenfold_dose_is_far_above_the_usual_one(learned, drug, usual, wrong):
    assert learned.score(order(drug, usual))[0] < 0.97 < 0.99 < learned.score(order(drug, wrong))[0]


def test_a_tenfold_dose_of_a_drug_with_one_dose_is_on_top():
    orders = hospital()
    at = int(np.flatnonzero(orders["drug"] == "enoxaparin")[7])
    orders["dose"] = orders["dose"].copy()
    orders["dose"][at] *= 10
    scores = cross_scores(orders, folds=3)
    assert np.argmax(scores) == at


def test_a_dose_that_is_usual_at_another_rhythm_is_more_suspect_than_at_its_own():
    orders = hospital(people=200)
    small = orders["dose"] == 500  # amoxicillin: 500 mg six times a day, 1 g twice
    orders["per_day"] = np.where(small & (orders["drug"] == "amoxicillin"), 6.0, orders["per_day"])
    learned = DoseOutliers.learn(orders, history=False)
    at_its_own, at_the_other = (learned.score(order("amoxicillin", 1000, per_day=times))[0] for times in (2.0, 6.0))
    assert at_its_own < at_the_other
    unknown = learned.score(order("amoxicillin", 1000, per_day=np.nan))[0]
    assert np.isfinite(unknown) and unknown < learned.score(order("amoxicillin", 10_000, per_day=np.nan))[0]


@pytest.mark.parametrize("beside", [{"wording": "ONCE"}, {"age": 3.0}, {"per_day": 1.0}])
def test_a_dose_that_is_usual_for_others_is_more_suspect_than_where_it_is_usual(beside):
    """A loading dose is given once, a small one to a child: 20 mg and 60 mg of the same drug are usual, each there."""
    orders = hospital(people=200)
    morphine = orders["drug"] == "morphine"
    there = morphine & (orders["person_id"] % 2 == 0)
    orders["dose"] = np.where(morphine, np.where(there, 20.0, 60.0), orders["dose"])
    for name, value in beside.items():
        orders[name] = np.where(there, value, orders[name])
    learned = DoseOutliers.learn(orders, history=False)
    (usual,), (elsewhere,) = (learned.score(order("morphine", dose, **beside)) for dose in (20, 60))
    assert usual < elsewhere


def test_a_first_dose_is_more_suspect_the_next_time():
    orders = {name: np.repeat(column, 3) for name, column in hospital(people=100, each=4).items()}
    first = np.arange(len(orders["dose"])) % 3 == 0
    orders["drug"] = np.array([f"{drug}{i // 300}" for i, drug in enumerate(orders["drug"])], object)
    orders["person_id"] = np.arange(len(orders["dose"])) // 3  # each patient: a drug, thrice
    orders["dose"] = np.where(first, 3 * orders["dose"], orders["dose"])
    learned = DoseOutliers.learn(orders, history=False)
    drug, dose = orders["drug"][0], orders["dose"][0]
    again = {name: np.repeat(column, 2) for name, column in order(drug, dose, person=10**6).items()}
    at_first, next_time = learned.score(again)
    assert at_first < next_time


def test_a_score_is_the_share_of_orders_that_are_less_suspect():
    """Of orders like those learned from, as many as said are above; a grave error may come before a likelier one."""
    learned = DoseOutliers.learn(hospital(people=300))
    scores = learned.score(hospital(people=300, seed=1))
    for share in (0.5, 0.9):
        assert np.mean(scores >= share) <= 1 - share + 0.03
    orders = hospital(seed=2)
    orders["dose"] = orders["dose"] * np.random.default_rng(0).choice(np.r_[1.0, FACTORS], len(orders["dose"]))
    features = learned.usual.features(orders, np.arange(800), np.ones(800), history=True)
    likely, grave = (learner.rarity(features) for learner in (learned.likely, learned.grave))
    for rarity in (likely, grave):
        assert ((rarity >= 0) & (rarity <= 1)).all()
    assert (learned.score(orders) >= 1 - likely - 1e-12).all()
    assert (learned.score(orders)[grave <= GRAVEST] >= 1 - grave[grave <= GRAVEST] - 1e-12).all()


def test_a_dose_the_patient_had_before_is_less_suspect(learned):
    once = order("morphine", 45)
    often = {name: np.repeat(column, 5) for name, column in once.items()}
    assert learned.score(often)[-1] < learned.score(once)[0]


def test_a_later_order_changes_nothing(learned):
    orders = hospital(seed=5)
    first = take(orders, slice(0, 100))
    np.testing.assert_array_equal(learned.score(orders)[:100], learned.score(first))


def test_own_orders_are_never_the_reference():
    """A patient with many odd doses makes them no more usual for themself; without history nothing of theirs counts."""
    orders = hospital()
    odd = {name: np.repeat(column, 40) for name, column in order("enoxaparin", 400, person=7).items()}
    both = {name: np.concatenate([orders[name], odd[name]]) for name in orders}
    ask, one = order("enoxaparin", 400, person=7), np.ones(1)
    without = {name: column[orders["person_id"] != 7] for name, column in orders.items()}
    for usual, name in ((Usual.of(both), "with"), (Usual.of(without), "without")):
        found = usual.features(ask, np.zeros(1, int), one, history=False)
        assert found["orders_equal"][0] == 0, name
    with_own = Usual.of(both).features(ask, np.zeros(1, int), one, history=False)
    apart = Usual.of(without).features(ask, np.zeros(1, int), one, history=False)
    for name in with_own:
        np.testing.assert_allclose(with_own[name], apart[name], atol=1e-9, err_msg=name)


@settings(max_examples=10)
@given(st.sampled_from([0.001, 0.5, 8.0, 1000.0]))
def test_neighbours_do_not_depend_on_the_unit(factor):
    orders = hospital()
    key, person = (pd.factorize(orders[name])[0] for name in ("drug", "person_id"))
    one = Neighbours.of(key, person, orders["dose"]).describe(key, person, orders["dose"])
    other = Neighbours.of(key, person, orders["dose"] * factor).describe(key, person, orders["dose"] * factor)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-9, err_msg=name)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from([1, 2, 5, 10])), min_size=1, max_size=30)
)
def test_shares_among_other_patients_are_those_of_the_definition(rows):
    key, person, dose = (np.array(column) for column in zip(*rows, strict=True))
    found = Neighbours.of(key, person, dose.astype(float)).describe(key, person, dose.astype(float))
    for at, (k, p, d) in enumerate(rows):
        others = [row[2] for row in rows if row[0] == k and row[1] != p]
        expected = np.mean([other == d for other in others]) if others else 0
        assert found["orders_equal"][at] == pytest.approx(expected)
        assert found["orders_total"][at] == len(others)
        median = sorted(others)[(len(others) - 1) // 2] if others else np.nan
        assert found["over_median"][at] == pytest.approx(np.log(d / median), nan_ok=True)


def test_doses_that_are_missing_or_zero_have_no_score(learned):
    orders = {name: np.repeat(column, 4) for name, column in order("morphine", 10).items()}
    orders["dose"] = np.array([np.nan, 0.0, -5.0, 10.0])
    assert np.isnan(learned.score(orders)).tolist() == [True, True, True, False]


def test_an_unknown_drug_and_no_order_at_all_are_no_error(learned):
    assert np.isfinite(learned.score(order("unheard of", 3.0))).all()
    assert len(learned.score(take(order("morphine", 1.0), slice(0, 0)))) == 0


@pytest.mark.parametrize("number", [0, 1, 10])
def test_too_few_orders_to_learn_from_is_said(number):
    with pytest.raises(NotEnoughOrders):
        DoseOutliers.learn(take(hospital(), slice(0, number)))


def test_scoring_twice_gives_the_same():
    orders = hospital()
    np.testing.assert_array_equal(cross_scores(orders, folds=3), cross_scores(orders, folds=3))


# --- the same as a feature of the model ------------------------------------------------------------------------------


def past_orders(doses):
    return pd.DataFrame(
        {
            "drug": "enoxaparin",
            "product": "enoxaparin",
            "unit": "mg",
            "route": "parenteral",
            "dose": doses,
            "daily": doses,
            "per_day": 1.0,
            "route_code": 7.0,
            "clearance_band": "0",
            "daily_by_clearance": np.nan,
            "filtration_band": "0",
            "daily_by_filtration": np.nan,
            "person_id": range(len(doses)),
        }
    )


def test_a_dose_that_explains_itself_as_an_error_has_a_high_ratio():
    past = past_orders([40.0] * 50 + [20.0] * 10)
    reference = DoseReference.learn(columns_of(past), min_patients=3)
    asked = past.iloc[:4].assign(dose=[40.0, 400.0, 80.0, 57.0]).assign(daily=lambda rows: rows["dose"])
    ratio = reference.compare(columns_of(asked))["dose_error_ratio"]
    assert ratio[0] < 0 < ratio[3] + 1e-9  # nobody wrote 57, and no error makes it of a usual dose
    assert ratio[2] > ratio[1] > ratio[3]  # doubling is a more common error than tenfold


def test_another_hospitals_word_for_a_route_is_not_an_unusual_route():
    past = pd.concat([past_orders([40.0] * 9).assign(route_code=[7.0] * 6 + [8.0] * 3),
                      past_orders([40.0] * 9).assign(drug="morphine", route_code=9.0)])  # fmt: skip
    reference = DoseReference.learn(columns_of(past), min_patients=3)
    asked = past_orders([40.0] * 5).assign(route_code=[7.0, 8.0, 9.0, 10.0, np.nan])
    common = reference.compare(columns_of(asked))["route_code_commonness"]
    assert 1 == common[0] > common[1] > common[2] == 0 and common[3] == 1  # 9 is for another drug, 10 for none
    assert np.isnan(common[4])
