"""Patients to read first: what is read together, and how it is summed up, against slow and obvious versions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prescription_review.triage import Rounds, multicriteria

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
def test_the_chance_is_that_of_at_least_one_order(rows):
    probability = np.array([row[2] for row in rows])
    rounds = Rounds.of(columns_of(rows), PARIS)
    for number, chance in enumerate(rounds.chance(probability)):
        here = probability[rounds.number == number]
        assert chance == pytest.approx(1 - np.prod(1 - here), abs=1e-6)
        assert here.max() - 1e-6 <= chance <= min(here.sum(), 1) + 1e-6


@given(lines, st.integers(0, 24))
def test_a_surer_order_never_makes_its_patient_less_urgent_nor_another_one_more(rows, which):
    which %= len(rows)
    probability = np.array([row[2] for row in rows])
    rounds = Rounds.of(columns_of(rows), PARIS)
    surer = probability.copy()
    surer[which] = (1 + surer[which]) / 2
    before, after = rounds.chance(probability), rounds.chance(surer)
    here = rounds.number[which]
    assert after[here] >= before[here] - 1e-12
    assert np.array_equal(np.delete(before, here), np.delete(after, here))


def test_the_query_of_hospitals_counts_points():
    def points(*orders):
        one = columns_of([(1, hour, 0.0, 0) for hour in range(len(orders))])
        for name in orders[0]:
            one[name] = np.array([order[name] for order in orders], dtype=float)
        return multicriteria(Rounds.of(one, PARIS), one).tolist()

    assert points({"age": 40, "clearance": 90, "active_orders": 3}) == [0]
    assert points({"age": 82, "clearance": 25, "active_orders": 12}) == [6]
    assert points({"age": 70, "clearance": np.nan, "active_orders": 6}) == [2]
    # The worst of the orders that are read together counts.
    quiet, failing = {"age": 40, "clearance": 90, "active_orders": 3}, {"age": 40, "clearance": 50, "active_orders": 6}
    assert points(quiet, failing) == [2]
