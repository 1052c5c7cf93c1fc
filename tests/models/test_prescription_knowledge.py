"""The knowledge tables: every line usable, sourced, and reachable by the rules."""

import re
from pathlib import Path

import pandas as pd
import pytest

from models.prescription_review import wording
from models.prescription_review.features import FEATURES
from models.prescription_review.knowledge import FOLDER, TABLES, KnowledgeError, load_knowledge
from models.prescription_review.rules import CATEGORIES
from models.prescription_review.units import DOSE_UNITS, LAB_UNITS

KNOWLEDGE = load_knowledge()
ATC = re.compile(r"[A-Z](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?$")


@pytest.mark.parametrize("name", TABLES)
def test_every_line_has_a_source_an_edition_and_says_whether_the_text_was_read(name):
    table = getattr(KNOWLEDGE, name)
    assert len(table) and (table[["source", "edition"]] != "").all(axis=None)
    assert set(table["checked"]) <= {"texte", "mémoire"}


@pytest.mark.parametrize("name", TABLES)
def test_every_atc_code_is_well_formed(name):
    table = getattr(KNOWLEDGE, name)
    for column in {"atc", "atc_a", "atc_b"} & set(table):
        assert [code for code in table[column] if not ATC.match(code)] == []


def test_the_tables_cover_the_substances_that_a_hospital_uses_most():
    assert KNOWLEDGE.maximum_daily_dose["atc"].nunique() >= 60
    assert KNOWLEDGE.renal_limits["atc"].nunique() >= 25


def test_units_of_the_tables_are_those_of_the_orders_and_results():
    canonical = {unit for unit, _ in DOSE_UNITS.values()}
    assert set(KNOWLEDGE.maximum_daily_dose["unit"]) | set(KNOWLEDGE.renal_limits["unit"]) <= canonical | {""}
    assert set(KNOWLEDGE.lab_limits["analyte"]) <= set(LAB_UNITS)


def test_no_icd10_code_could_be_the_beginning_of_an_icd9_code():
    codes = [code for codes in KNOWLEDGE.contraindications["icd10"] for code in codes.split("|")]
    assert all(re.match(r"[A-DF-UW-Z]\d{2}", code) for code in codes)  # ICD-9 begins with a digit, E or V


def test_renal_bands_of_a_substance_do_not_overlap():
    for _, lines in KNOWLEDGE.renal_limits.sort_values("clearance_from").groupby("atc"):
        assert (lines["clearance_below"].shift().fillna(0) <= lines["clearance_from"]).all()


def test_age_bands_of_a_maximum_dose_do_not_overlap():
    for _, lines in KNOWLEDGE.maximum_daily_dose.sort_values("age_from").groupby(["atc", "route"]):
        assert (lines["age_below"].shift().fillna(0) <= lines["age_from"]).all()


def test_every_feature_has_a_french_label_and_every_rule_its_sentence():
    assert set(wording.LABELS) == set(FEATURES)
    assert {name.split("_")[0] for name in wording.MESSAGES} == {rule.split("_")[0] for rule in CATEGORIES}
    assert {name for names in wording.SPEAKS_FOR.values() for name in names} <= set(FEATURES)


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [("source", "", "source"), ("max_daily", "4 g", "max_daily"), ("line", "DOSE-002", "twice")],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, column, value, word):
    for path in FOLDER.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    table = pd.read_csv(tmp_path / "maximum_daily_dose.csv", dtype=str, keep_default_na=False)
    table.loc[0, column] = value
    table.to_csv(tmp_path / "maximum_daily_dose.csv", index=False)
    with pytest.raises(KnowledgeError, match=word) as caught:
        load_knowledge(tmp_path)
    assert "maximum_daily_dose.csv" in caught.value.what
