"""The class of problem, the weights of reviewed orders, and the learners that are compared."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learners import LEARNERS, fit
from models.prescription_review import problem
from models.prescription_review.features import FEATURES
from models.prescription_review.reviewing import inverse_chances
from models.ranking import Ranking

codes = st.sampled_from(problem.CLASSES)


def rows_of(number, seed=0):
    """Features of which the first tells the class."""
    generator = np.random.default_rng(seed)
    features = generator.random((number, len(FEATURES)))
    features[:, :3] = 0
    kind = generator.integers(0, 3, number)
    features[:, FEATURES.index("age")] = kind + generator.normal(0, 0.1, number)
    return features, np.array(["1", "4", "8"], dtype=object)[kind]


def test_a_class_that_a_feature_tells_is_learned_and_a_rare_one_left_out():
    features, kind = rows_of(400)
    kind[:3] = "9"
    learner = problem.fit(features, kind, seed=0)
    assert learner.classes == ("1", "4", "8")
    new, truth = rows_of(200, seed=1)
    assert (learner.predict(new) == truth).mean() > 0.95
    assert learner.probabilities(new).sum(axis=1) == pytest.approx(np.ones(200))


def test_one_class_alone_is_what_every_order_has():
    features, _ = rows_of(30)
    learner = problem.fit(features, np.full(30, "6", dtype=object), seed=0)
    assert set(learner.predict(features)) == {"6"} and learner.predict(features[:0]).tolist() == []


@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=40))
def test_f1_is_that_of_the_definition(pairs):
    said, predicted = (np.array(column, dtype=object) for column in zip(*pairs, strict=True))
    found = problem.confusion(said, predicted)
    for code, f1 in found["f1"].items():
        hits = ((said == code) & (predicted == code)).sum()
        precision, recall = hits / max((predicted == code).sum(), 1), hits / (said == code).sum()
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall) if hits else 0)
    assert found["macro_f1"] == pytest.approx(np.mean(list(found["f1"].values())))
    assert set(found["f1"]) == set(said)


def test_orders_that_are_seldom_reviewed_weigh_more():
    generator = np.random.default_rng(0)
    night = generator.random(4000) < 0.5
    reviewed = generator.random(4000) < np.where(night, 0.2, 0.8)
    orders = pd.DataFrame({
        "atc2": "A02", "route": "oral", "stay_kind": "inpatient", "hour": np.where(night, 3.0, 10.0), "weekend": 0.0,
        "per_day": 1.0,
    })  # fmt: skip
    weight = inverse_chances(orders, reviewed)
    assert weight[night].mean() / weight[~night].mean() == pytest.approx(4, rel=0.2)
    assert weight[reviewed].mean() == pytest.approx(1)
    assert (inverse_chances(orders, np.ones(4000, dtype=bool)) == 1).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_finds_what_is_there_in_spite_of_gaps_and_categories(name):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(800, 5))
    features[:, 4] = generator.integers(0, 4, 800)
    positive = ((features[:, 0] + (features[:, 4] == 2)) > 0.8).astype(float)
    features[generator.random(features.shape) < 0.1] = np.nan
    fitted = fit(name, features[:500], positive[:500], categorical=[4], weight=np.ones(500), seed=0)
    score = fitted.score(features[500:])
    assert Ranking.of(positive[500:], score).auroc() > 0.8
    again = fit(name, features[:500], positive[:500], categorical=[4], weight=np.ones(500), seed=0)
    assert (again.score(features[500:]) == score).all()
