"""Months of a model in use: what is as expected is not noticed, what is not is."""

import re

import numpy as np
import pytest

from models.drift import ENOUGH, by_month, noticed
from models.evaluation import Sample
from models.ranking import Ranking

MONTHS, ROWS = ("2025-01", "2025-02", "2025-03"), 4_000


def months_of(seen=1.0, scrambled=False, rows=ROWS, seed=0):
    """Three months of rows whose probabilities are right, but for what happens in the last one."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.4, 6, 3 * rows)
    chance = probability.copy()
    chance[2 * rows :] *= seen
    positive = (rng.random(3 * rows) < chance).astype(float)
    score = probability.copy()
    if scrambled:
        score[2 * rows :] = rng.permutation(score[2 * rows :])
    person = rng.integers(0, rows, 3 * rows)
    sample = Sample(positive, person, {"model": score}, probability)
    found = by_month(sample, np.repeat(MONTHS, rows), probability > 0.3, resamples=100)
    low = Ranking.of(positive[: 2 * rows], score[: 2 * rows]).auroc() - 0.02
    return found, {"low": low, "high": low + 0.04}


def test_months_are_counted_in_order():
    found, _ = months_of()
    assert [row["month"] for row in found] == list(MONTHS)
    assert [row["n"] for row in found] == [ROWS] * 3
    for row in found:
        assert row["ratio"]["value"] == pytest.approx(row["positives"] / row["expected"])
        assert row["ratio"]["low"] < row["ratio"]["value"] < row["ratio"]["high"]
        assert 0 < row["alerts_per_100"] < 10


def test_what_is_as_expected_is_not_noticed():
    assert not any(noticed(*months_of(seed=seed)) for seed in range(20))


@pytest.mark.parametrize("seen", [0.5, 2.0], ids=["half of it is overlooked", "twice as much is found"])
def test_a_month_with_fewer_or_more_than_expected_is_noticed(seen):
    (told,) = noticed(*months_of(seen=seen))
    assert told.startswith("2025-03") and "Adapt" in told
    assert float(re.search(r"ratio ([\d.]+)", told)[1]) == pytest.approx(seen, rel=0.15)


def test_a_model_that_no_longer_tells_rows_apart_is_noticed():
    (told,) = noticed(*months_of(scrambled=True))
    assert told.startswith("2025-03") and "AUROC" in told


def test_of_too_little_nothing_is_noticed():
    found, auroc = months_of(seen=0.1, rows=100)
    assert found[-1]["expected"] < ENOUGH and found[-1]["ratio"] is None
    assert not noticed(found[-1:], auroc) and not noticed([], auroc)
