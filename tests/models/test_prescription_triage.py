"""Patients to read first: what is read together, and how it is summed up, against slow and obvious versions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.prescription_review import triage
from models.prescription_review.triage import FEATURES, Rounds, describe, multicriteria

PARIS = "Europe/Paris"
lines = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 60), st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=25
)  # person, hours, probability, findings


def columns_of(rows):
    return {
        "person_id": np.array([row[0] for row in rows]),
        "index_time": np.datetime64("2024-03-01T00:00", "us")
        + np.array([row[1] for row in rows]) * np.timedelta64(1, "h"),
        "rules_grave": np.array([row[3] for row in rows], float),
        "active_orders": np.full(len(rows), 4.0),
        "age": np.full(len(rows), 70.0),
        "clearance": np.full(len(rows), np.nan),
        "hours_since_admission": np.arange(len(rows), dtype=float),
    }


def day_in_paris(hours):
    return (hours + 1) // 24  # winter time


@given(lines)
def test_a_round_is_a_patient_on_a_day_of_the_wards(rows):
    rounds = Rounds.of(columns_of(rows), PARIS)
    together = {(row[0], day_in_paris(row[1])) for row in rows}
    assert len(rounds.first) == len(together)
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            same = (one[0], day_in_paris(one[1])) == (other[0], day_in_paris(other[1]))
            assert (rounds.number[i] == rounds.number[j]) == same


@given(lines)
def test_a_round_is_summed_up_as_defined(rows):
    columns, probability = columns_of(rows), np.array([row[2] for row in rows])
    rounds = Rounds.of(columns, PARIS)
    described = describe(rounds, columns, probability)
    for number in range(len(rounds.first)):
        here = np.flatnonzero(rounds.number == number)
        row = dict(zip(FEATURES, described[number], strict=True))
        assert row["any"] == pytest.approx(1 - np.prod(1 - probability[here]), abs=1e-6)
        assert row["highest"] == probability[here].max()
        assert row["expected"] == pytest.approx(probability[here].sum())
        assert row["lines"] == len(here) and row["rules"] == sum(rows[i][3] for i in here)
        assert np.isnan(row["clearance"])


@settings(max_examples=30)
@given(lines, st.integers(0, 24))
def test_a_surer_order_never_makes_its_patient_less_urgent(rows, which):
    which %= len(rows)
    columns, probability = columns_of(rows), np.array([row[2] for row in rows])
    rounds = Rounds.of(columns, PARIS)
    surer = probability.copy()
    surer[which] = (1 + surer[which]) / 2
    before, after = (describe(rounds, columns, p)[rounds.number[which]] for p in (probability, surer))
    assert all(after[FEATURES.index(name)] >= before[FEATURES.index(name)] - 1e-12 for name in triage.OF_ORDERS)


def test_the_learner_is_monotone_in_what_the_orders_say():
    generator = np.random.default_rng(0)
    described = generator.random((600, len(FEATURES)))
    learner = triage.fit(described, (described[:, 0] + generator.normal(0, 0.3, 600) > 0.6).astype(float), seed=0)
    low, high = described.copy(), described.copy()
    high[:, 0] += 0.2
    assert (learner.predict(high) >= learner.predict(low) - 1e-12).all()


def test_the_query_of_hospitals_counts_points():
    row = dict.fromkeys(FEATURES, 0.0)

    def points(**values):
        return multicriteria(np.array([list((row | values).values())]))[0]

    assert points(age=40, clearance=90, active_orders=3) == 0
    assert points(age=82, clearance=25, active_orders=12) == 6
    assert points(age=70, clearance=float("nan"), active_orders=6) == 2
