"""Reasons that a pharmacist is told: every feature belongs to one, and their shares add up to the score."""

import numpy as np
import pytest

from models.prescription_review.features import FEATURES
from models.prescription_review.predict import predict
from models.prescription_review.read_first import CATEGORY
from models.prescription_review.themes import OF_FEATURE, THEMES
from models.prescription_review.wording import LABELS


def test_every_feature_has_one_theme_and_a_french_label():
    told = [name for names in THEMES.values() for name in names]
    assert sorted(told) == sorted(FEATURES) and set(OF_FEATURE) == set(FEATURES) <= set(LABELS)


def test_contributions_are_of_different_themes_the_strongest_first(trained):
    of_orders = [p for p in predict(trained.store, tracking_uri=trained.tracking_uri) if p.category != CATEGORY]
    for prediction in of_orders[:50]:
        themes = [OF_FEATURE[one.feature] for one in prediction.contributions]
        assert len(set(themes)) == len(themes) <= 6
        sizes = np.abs([one.contribution for one in prediction.contributions])
        assert sizes == pytest.approx(np.sort(sizes)[::-1])
