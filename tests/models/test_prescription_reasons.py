"""Reasons as a pharmacist reads them: a feature and its value in words, and never a reason that nobody can see."""

import math
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prescription_review.diagnoses import NAMES
from models.prescription_review.features import FEATURES
from models.prescription_review.phrases import PHRASES
from models.prescription_review.reasons import remarkable, said
from models.prescription_review.themes import BACKGROUND, OF_FEATURE

NAN = math.nan
UNKNOWN = dict.fromkeys((*FEATURES, "daily", "dose"), NAN) | {"route": "", "atc2": "", "atc4": ""}
TOLD = sorted(set(FEATURES) - {name for name, theme in OF_FEATURE.items() if theme in BACKGROUND})


@pytest.mark.parametrize(
    ("feature", "order", "about", "words"),
    [
        ("age", {"age": 84.26}, "", "âge de 84 ans"),
        ("clearance", {"clearance": 33.71}, "", "fonction rénale à 34 mL/min"),
        ("potassium", {"potassium": 4.6}, "", "kaliémie à 4,6 mmol/L"),
        ("potassium", {}, "", "kaliémie inconnue"),
        ("potassium_age_h", {"potassium_age_h": 8.193}, "", "dernière kaliémie datant de 8 h"),
        ("INR_age_h", {"INR_age_h": 131.0}, "", "dernier INR datant de 5 jours"),
        ("creatinine_change", {"creatinine_change": math.log(1.6)}, "",
         "créatinine multipliée par 1,6 ces derniers jours"),
        ("daily_commonness", {"daily_commonness": 0.0343}, "",
         "dose journalière 29 fois moins prescrite que la plus usuelle"),
        ("daily_commonness", {"daily_commonness": 0.0}, "",
         "dose journalière plus de 100 fois moins prescrite que la plus usuelle"),
        ("daily_z", {}, "", "dose journalière non écrite"),
        ("daily_z", {"daily": 5.0}, "", "dose journalière sans usage connu auquel la comparer"),
        ("per_day_commonness", {"per_day_commonness": 1.0}, "", "nombre de prises par jour le plus usuel"),
        ("daily_share_above", {"daily_share_above": 0.004}, "",
         "moins de 1 % des prescriptions ont une dose journalière plus forte"),
        ("dose_log_ratio", {"dose_log_ratio": math.log(0.1)}, "", "dose par prise 10 fois plus faible que l'usuelle"),
        ("kidney_log_ratio", {"kidney_log_ratio": math.log(3)}, "",
         "à cette fonction rénale, dose 3 fois plus forte que l'usuelle"),
        ("rare_potassium_level", {"rare_potassium_level": -3.0, "potassium": 2.9}, "",
         "médicament 8 fois moins prescrit qu'attendu à une kaliémie de 2,9 mmol/L"),
        ("rare_potassium_level", {}, "", "kaliémie inconnue"),
        ("rare_illness", {"rare_illness": 1.585}, "maladie rénale chronique (N18)",
         "médicament 3 fois plus prescrit qu'attendu avec maladie rénale chronique (N18)"),
        ("rare_kidneys", {"rare_kidneys": 0.1, "clearance": 47.08}, "",
         "médicament prescrit autant qu'attendu à une fonction rénale de 47 mL/min"),
        ("objected_other_drug", {"objected_other_drug": 0.35}, "furosémide",
         "35 % des prescriptions comparables corrigées avec furosémide"),
        ("objected_stopp", {"objected_stopp": 0.354}, "",
         "35 % des alertes « STOPP (65 ans et plus) » comparables suivies"),
        ("objected_stopp", {"objected_stopp": 0.0}, "", "règle « STOPP (65 ans et plus) » muette"),
        ("rule_stopp", {"rule_stopp": 3.0}, "", "règle « STOPP (65 ans et plus) » déclenchée"),
        ("ill_asthma", {"ill_asthma": 0.0}, "", "sans asthme connu"),
        ("active_same_class", {"active_same_class": 2.0}, "", "une autre ligne de la même classe"),
        ("per_day", {"per_day": 1 / 7}, "", "une prise tous les 7 jours"),
        ("max_ratio", {"max_ratio": 2.5}, "", "2,5 fois la dose maximale"),
        ("route", {"route": "iv"}, "", "voie intraveineuse"),
    ],
)  # fmt: skip
def test_golden_reason(feature, order, about, words):
    assert said(feature, UNKNOWN | order, about) == words


def test_every_feature_that_may_be_a_reason_has_words():
    assert set(TOLD) - {"route"} <= set(PHRASES) <= set(FEATURES)


@pytest.mark.parametrize("feature", sorted(PHRASES))
def test_words_are_finished_at_every_bound(feature):
    phrase = PHRASES[feature]
    bounds = [bound for bound, _ in phrase.below]
    assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf
    values = [0.0, *(np.nextafter(bound, -math.inf) for bound in bounds[:-1]), *bounds[:-1], 1e6, NAN]
    for value in [one for one in values if one >= 0 or phrase.scale in ("log", "bits")]:
        if phrase.scale and abs(value) > 100:
            continue
        order = UNKNOWN | {"potassium": 4.0, "haemoglobin": 9.0, "clearance": 50.0, "filtration": 50.0, "age": 80.0}
        words = said(feature, order | {feature: value}, "furosémide")
        assert words and not set("{}") & set(words) and "nan" not in words and "inf" not in words.split()
    assert {name for _, words in phrase.below for _, name, _, _ in string.Formatter().parse(words) if name} <= {
        "value", "whole", "percent", "since", "every", "times", "state", "about",
    }  # fmt: skip


@given(st.sampled_from(sorted(PHRASES)), st.sampled_from([math.inf, -math.inf]))
def test_a_value_beyond_all_bounds_is_told_too(feature, value):
    order = UNKNOWN | {"potassium": 4.0, "haemoglobin": 9.0, "clearance": 50.0, "filtration": 50.0, "age": 80.0}
    phrase = PHRASES[feature]
    assert phrase.place(value) in {0, len(phrase.below) - 1}
    if phrase.scale == "log":
        assert said(feature, order | {feature: value})


@given(st.sampled_from(sorted(PHRASES)))
def test_what_is_not_known_is_no_place_to_look(feature):
    assert not remarkable(feature, UNKNOWN)


def test_what_one_expects_is_no_place_to_look():
    assert not remarkable("rare_illness", UNKNOWN | {"rare_illness": 1e-3})
    assert remarkable("rare_illness", UNKNOWN | {"rare_illness": -2.0})
    assert not remarkable("daily_commonness", UNKNOWN | {"daily_commonness": 1.0})
    assert not remarkable("rule_dose", UNKNOWN | {"rule_dose": 0.0})


def test_categories_of_diagnoses_have_short_names():
    assert all(re.fullmatch("[A-Z][0-9]{2}", code) and 2 < len(name) < 45 for code, name in NAMES.items())
    assert all(name[0].islower() or name[1].isupper() for name in NAMES.values())
