"""Units of doses and laboratory results."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prescription_review import wording
from models.prescription_review.config import load_config
from models.prescription_review.known import analyte_of
from models.prescription_review.renal import ckd_epi_2009, cockcroft_gault
from models.prescription_review.units import (
    IMPLAUSIBLE,
    LAB_UNITS,
    UnitError,
    canonical_dose,
    lab_value,
)


@pytest.mark.parametrize(
    ("value", "unit", "dose", "canonical"),
    [
        (1, "g", 1000, "mg"),
        (75, "µg", 0.075, "mg"),
        (75, "μg", 0.075, "mg"),  # the Greek letter, not the micro sign
        (75, "mcg", 0.075, "mg"),
        (4000, "U.I.", 4000, "UI"),
        (4000, " UI ", 4000, "UI"),
        (3, "MUI", 3e6, "UI"),
        (2, "comprimé", 2, "comprimé"),
        (500, "mg", 500, "mg"),
    ],
)
def test_a_dose_is_brought_to_one_unit(value, unit, dose, canonical):
    found = canonical_dose(pd.Series([value]), pd.Series([unit])).iloc[0]
    assert (found["dose"], found["unit"]) == (pytest.approx(dose), canonical)


@pytest.mark.parametrize("value", [0, -1, None])
def test_no_dose_is_missing_and_never_zero(value):
    assert np.isnan(canonical_dose(pd.Series([value]), pd.Series(["mg"]))["dose"].iloc[0])


def one_result(analyte, value, text):
    return lab_value(analyte, pd.Series([value]), pd.Series([text])).iloc[0]


@pytest.mark.parametrize(
    ("value", "text", "umol_l"),
    [
        (1.0, "mg/dL", 88.4),
        (10.0, "mg/L", 88.4),
        (88.4, "µmol/L", 88.4),
        (88.4, "umol/L", 88.4),
        (0.0884, "mmol/L", 88.4),
    ],
)
def test_creatinine_follows_its_unit_and_not_its_code(value, text, umol_l):
    assert one_result("creatinine", value, text) == pytest.approx(umol_l)


@pytest.mark.parametrize(("value", "text"), [(90, None), (90, "g/L"), (0.9, "")])
def test_a_result_of_unknown_unit_is_missing(value, text):
    assert np.isnan(one_result("creatinine", value, text))


def test_an_impossible_value_is_missing():
    assert np.isnan(one_result("potassium", 42, "mmol/L"))


def test_a_column_in_mg_dl_that_says_umol_l_is_refused():
    with pytest.raises(UnitError, match="mg/dL"):
        lab_value("creatinine", pd.Series([0.8, 1.1, 0.9]), pd.Series(["umol/L"] * 3))


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "expected"),
    [
        ("glucose", 0.5, "g/L", 2.775),
        ("glucose", 90, "mg/dL", 4.995),
        ("haemoglobin", 85, "g/L", 8.5),
        ("platelets", 120_000, "/mm3", 120),
        ("platelets", 120, "Giga/L", 120),
        ("digoxin", 2, "nmol/L", 1.562),
        ("vancomycin", 20, "µg/mL", 20),
        ("sodium", 130, "mEq/L", 130),
        ("calcium", 10, "mg/dL", 2.495),
        ("TSH", 4, "µUI/mL", 4),
        ("bilirubin", 1, "mg/dL", 17.1),
    ],
)
def test_a_result_is_brought_to_the_unit_of_its_analysis(analyte, value, unit, expected):
    assert one_result(analyte, value, unit) == pytest.approx(expected, rel=1e-3)


def test_every_analysis_has_units_and_bounds_and_a_name_on_the_screen():
    analytes = set(load_config().analytes)
    assert analytes == set(LAB_UNITS) == set(IMPLAUSIBLE)
    assert analytes - {"weight"} == set(wording.ANALYTES) == set(wording.UNITS)


@pytest.mark.parametrize(
    ("name", "analyte"),
    [
        ("Platelets [#/volume] in Blood by Automated count", "platelets"),
        ("Plaquettes", "platelets"),
        ("Platelet mean volume [Entitic volume] in Blood", None),
        ("Sodium [Moles/volume] in Serum or Plasma", "sodium"),
        ("Sodium [Moles/volume] in Urine", None),
        ("Sodium and Potassium panel [Moles/volume] - Serum or Plasma", None),
        ("Natrémie", "sodium"),
        ("Hemoglobin [Mass/volume] in Blood", "haemoglobin"),
        ("Hémoglobine glyquée", None),
        ("Hemoglobin A1c/Hemoglobin.total in Blood", None),
        ("Glucose [Mass/volume] in Urine by Test strip", None),
        ("Glycémie à jeun", "glucose"),
        ("INR in Platelet poor plasma by Coagulation assay", "INR"),
        ("Neutrophils/100 leukocytes in Blood", None),
        ("Vancomycin [Mass/volume] in Serum or Plasma", "vancomycin"),
        ("Vancomycin [Susceptibility]", None),
        ("Creatine kinase.MB [Mass/volume] in Serum or Plasma", None),
        ("Créatine kinase", "CK"),
        ("Créatinine", "creatinine"),
        ("Creatinine [Mass/volume] in Urine", None),
        ("Kaliémie", "potassium"),
        ("Temps de céphaline activée", "aPTT"),
        ("Activité anti-Xa", "anti_Xa"),
        ("Calcium.ionized [Moles/volume] in Blood", None),
    ],
)
def test_an_analysis_is_known_by_its_name(name, analyte):
    analytes = load_config().analytes
    found = analyte_of(np.array([0]), np.array([name], dtype=object), analytes)[0]
    assert (None if found < 0 else [*analytes][found]) == analyte


adults = {"age": st.floats(18, 100), "weight": st.floats(35, 150), "creatinine": st.floats(30, 900)}


@given(**adults, factor=st.floats(1.01, 3))
def test_kidney_function_falls_when_creatinine_rises(age, weight, creatinine, factor):
    for female in (0.0, 1.0):
        now, later = np.array([creatinine]), np.array([creatinine * factor])
        a, w, f = np.array([age]), np.array([weight]), np.array([female])
        assert cockcroft_gault(a, w, later, f) < cockcroft_gault(a, w, now, f)
        assert ckd_epi_2009(a, later, f) < ckd_epi_2009(a, now, f)


@pytest.mark.parametrize(
    ("female", "age", "mg_dl", "published"), [(1, 50, 0.7, 101), (0, 50, 0.9, 99), (0, 70, 2.0, 33), (1, 80, 1.5, 33)]
)
def test_ckd_epi_2009_agrees_with_the_formula_worked_by_hand(female, age, mg_dl, published):
    rate = ckd_epi_2009(np.array([float(age)]), np.array([mg_dl * 88.4]), np.array([float(female)]))[0]
    assert rate == pytest.approx(published, abs=1)


@pytest.mark.parametrize("missing", ["age", "weight", "creatinine", "female", "child"])
def test_a_missing_input_gives_no_clearance(missing):
    given_ = {"age": 70.0, "weight": 60.0, "creatinine": 100.0, "female": 1.0}
    given_["age" if missing == "child" else missing] = 12.0 if missing == "child" else np.nan
    assert np.isnan(cockcroft_gault(*(np.array([x]) for x in given_.values()))).all()
