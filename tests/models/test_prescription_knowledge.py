"""The knowledge tables: every line usable, sourced, and reachable by the rules."""

import re
from itertools import combinations
from math import isnan
from pathlib import Path

import pandas as pd
import pytest

from models.prescription_review import wording
from models.prescription_review.evaluate import evaluate
from models.prescription_review.features import FEATURES
from models.prescription_review.knowledge import FOLDER, TABLES, KnowledgeError, load_knowledge
from models.prescription_review.predict import predict
from models.prescription_review.rules import CATEGORIES, act_ip
from models.prescription_review.train import reproduce, train
from passerelle.errors import UsageError
from passerelle.predictions import own_knowledge
from passerelle.settings import load_settings

KNOWLEDGE = load_knowledge()
ATC = re.compile(r"-?[A-Z](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?$")
# ICD-9 begins with a digit, E000 to E030, E8, E9 or V.
NOT_ICD9 = re.compile(r"[A-DF-UW-Z]$|[A-DF-UW-Z]\d|E0[4-9]|E03[1-9]|E[1-7]\d")


@pytest.mark.parametrize("name", TABLES)
def test_every_line_has_a_source_an_edition_and_says_whether_the_text_was_read(name):
    table = getattr(KNOWLEDGE, name)
    assert len(table) and (table[["source", "edition"]] != "").all(axis=None)
    assert set(table["checked"]) <= {"texte", "mémoire"}


@pytest.mark.parametrize("name", TABLES)
def test_every_atc_code_is_well_formed(name):
    table = getattr(KNOWLEDGE, name)
    for column in {"atc", "atc_a", "atc_b", "with_atc", "unless_atc"} & set(table):
        codes = [code for text in table[column] for code in text.split("|") if code]
        assert [code for code in codes if not ATC.match(code)] == []


def test_the_tables_cover_the_substances_that_a_hospital_uses():
    of_doses = {*KNOWLEDGE.maximum_daily_dose["atc"], *KNOWLEDGE.renal_limits["atc"]}
    assert len({code for code in of_doses if len(code) == 7}) >= 300
    assert KNOWLEDGE.renal_limits["atc"].nunique() >= 100
    assert KNOWLEDGE.minimum_daily_dose["atc"].nunique() >= 100
    assert sum(len(getattr(KNOWLEDGE, name)) for name in TABLES if name != "interactions") >= 2000


def test_no_icd10_code_could_be_the_beginning_of_an_icd9_code():
    columns = [KNOWLEDGE.contraindications[name] for name in ("icd10", "unless_icd10")] + [KNOWLEDGE.allergies["icd10"]]
    columns += [getattr(KNOWLEDGE, name)[column] for name in ("stopp", "start") for column in ("icd10", "unless_icd10")]
    codes = [code for column in columns for text in column for code in text.split("|") if code]
    assert [code for code in codes if not NOT_ICD9.match(code)] == []


def test_renal_bands_of_a_substance_do_not_overlap():
    for _, lines in KNOWLEDGE.renal_limits.sort_values("clearance_from").groupby(["atc", "route"]):
        assert (lines["clearance_below"].shift().fillna(0) <= lines["clearance_from"]).all()


def apart(one, other, of):
    """Whether two lines speak of ages, or of weights, that have nothing in common."""
    bands = [(0 if isnan(line[f"{of}_from"]) else line[f"{of}_from"], line[f"{of}_below"]) for line in (one, other)]
    (low, below), (other_low, other_below) = bands
    return below <= other_low or other_below <= low  # no end: false


def test_age_and_weight_bands_of_a_maximum_dose_do_not_overlap():
    table = KNOWLEDGE.maximum_daily_dose[KNOWLEDGE.maximum_daily_dose["max_daily_per_kg"].isna()]
    for _, lines in table.groupby(["atc", "route", "unit"]):
        for one, other in combinations(lines.to_dict("records"), 2):
            by_weight = [not (isnan(line["weight_from"]) and isnan(line["weight_below"])) for line in (one, other)]
            # A line without a weight is for patients whose weight is not known, beside lines by weight.
            assert apart(one, other, "age") or apart(one, other, "weight") or sum(by_weight) == 1, (one, other)


def test_a_minimum_is_below_the_maximum_of_the_same_substance():
    keys = ["atc", "unit"]
    both = KNOWLEDGE.minimum_daily_dose.merge(KNOWLEDGE.maximum_daily_dose.dropna(subset=["max_daily"]), on=keys)
    both = both[both["age_from_y"].fillna(0) >= 18]
    assert len(both) > 80 and (both["min_daily"] <= both["max_daily"]).all()


def test_a_patient_sees_only_french_names_and_complete_sentences():
    for name in ("stopp", "start", "pregnancy_limits", "administration"):
        reasons = getattr(KNOWLEDGE, name)["reason"]
        assert (reasons != "").all() and not reasons.str.endswith(".").any() and not reasons.str.contains("[{}]").any()


@pytest.mark.parametrize("rule", CATEGORIES)
def test_every_rule_has_a_problem_and_an_intervention_of_the_act_ip_grid(rule):
    lines = [line for line in KNOWLEDGE.lines.values() if line["line"].startswith(PREFIXES[rule])]
    lines = [line for line in lines if line.get("action") != "adapt"] or [{}]  # which finds nothing
    for line in lines:
        problem, intervention = act_ip(rule, line)
        assert problem in wording.PROBLEMS and intervention in wording.INTERVENTIONS


PREFIXES = {
    "dose": "DOSE-", "dose_sum": "DOSE-", "underdose": "DOSEMIN", "renal": "REIN", "lab": "BIO", "adverse": "BIO",
    "monitoring": "SUIVI", "duplicate": "DOUBLON", "contraindication": "CI", "allergy": "ALLERGIE",
    "pregnancy": "GROSSESSE", "age": "AGE", "stopp": "STOPP", "untreated": "START", "route": "ADM", "rhythm": "ADM",
    "interaction": "ITX",
}  # fmt: skip


def test_every_feature_has_a_french_label_and_every_rule_its_sentence():
    assert set(wording.LABELS) == set(FEATURES)
    assert {name.split("_")[0] for name in wording.MESSAGES} == {rule.split("_")[0] for rule in CATEGORIES}
    spoken = {name for names in wording.SPEAKS_FOR.values() for name in names}
    assert {f"rule_{rule}" for rule in CATEGORIES} <= spoken <= set(FEATURES)


@pytest.mark.parametrize(
    ("name", "column", "value", "word"),
    [
        ("maximum_daily_dose", "source", "", "source"),
        ("maximum_daily_dose", "max_daily", "4 g", "max_daily"),
        ("maximum_daily_dose", "line", "DOSE-002", "twice"),
        ("maximum_daily_dose", "unit", "comprimé", "unit"),
        ("maximum_daily_dose", "route", "par os", "route"),
        ("maximum_daily_dose", "atc", "paracetamol", "atc"),
        ("lab_limits", "analyte", "kaliémie", "analyte"),
        ("lab_limits", "side", "higher", "side"),
        ("lab_limits", "severity", "grave", "severity"),
        ("allergies", "pattern", "penicil(", "pattern"),
        ("monitoring", "analytes", "INR|TP", "analytes"),
        ("stopp", "icd10", "G30 ou F00", "icd10"),
        ("administration", "kind", "interdit", "kind"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_its_file_and_column(tmp_path: Path, name, column, value, word):
    for path in FOLDER.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    first = edit(tmp_path, name, column, value)
    with pytest.raises(KnowledgeError, match=word) as caught:
        load_knowledge(folder=tmp_path)
    assert f"{name}.csv" in caught.value.what
    assert column in caught.value.looked or first in caught.value.looked or word == "twice"


def edit(folder: Path, name: str, column: str, value: str) -> str:
    table = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    table.loc[0, column] = value
    table.to_csv(folder / f"{name}.csv", index=False)
    return table.loc[0, "line"]


def test_a_table_without_a_column_is_named(tmp_path: Path):
    for path in FOLDER.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pd.read_csv(tmp_path / "stopp.csv", dtype=str).drop(columns="reason").to_csv(tmp_path / "stopp.csv", index=False)
    with pytest.raises(KnowledgeError, match="reason") as caught:
        load_knowledge(folder=tmp_path)
    assert "stopp.csv" in caught.value.what


# ------------------------------------------------------------------ a hospital's own knowledge
def own_folder(tmp_path: Path, *lines: str) -> Path:
    header = (FOLDER / "maximum_daily_dose.csv").read_text(encoding="utf-8").splitlines()[0]
    tmp_path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "maximum_daily_dose.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return tmp_path


def test_a_hospital_replaces_a_line_and_adds_others(tmp_path: Path):
    own = own_folder(
        tmp_path,
        "DOSE-001,N02BE01,paracétamol,any,18,,,,3000,,mg,livret du CHU,2025,texte,",
        "CHU-001,A06AD15,macrogol,oral,18,,,,40000,,mg,livret du CHU,2025,texte,",
    )
    found = load_knowledge(own)
    table = found.maximum_daily_dose.set_index("line")
    assert table.loc["DOSE-001", "max_daily"] == 3000 and table.loc["CHU-001", "substance"] == "macrogol"
    assert len(table) == len(KNOWLEDGE.maximum_daily_dose) + 1
    assert found.sha256 != KNOWLEDGE.sha256 and found.stopp.equals(KNOWLEDGE.stopp)


def test_a_hospitals_line_that_cannot_be_used_is_named(tmp_path: Path):
    own = own_folder(tmp_path, "CHU-001,A06AD15,macrogol,oral,18,,,,beaucoup,,mg,livret du CHU,2025,texte,")
    with pytest.raises(KnowledgeError, match="maximum_daily_dose") as caught:
        load_knowledge(own)
    assert "CHU-001: max_daily" in caught.value.looked and "beaucoup" in caught.value.looked


def test_a_hospitals_table_that_there_is_not_is_refused(tmp_path: Path):
    (tmp_path / "doses_max.csv").write_text("line\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match="doses_max"):
        load_knowledge(tmp_path)


def test_a_hospitals_folder_that_there_is_not_is_refused(tmp_path: Path):
    with pytest.raises(KnowledgeError, match="no such folder"):
        load_knowledge(tmp_path / "nowhere")


def test_a_hospitals_own_lines_reach_every_step(tmp_path: Path, hospital, advice):
    """A maximum of one gram a day for paracetamol makes each of its orders an overdose, in training and after."""
    line = "DOSE-001,N02BE01,paracétamol,any,0,,,,1000,,mg,livret du CHU,2025,texte,"
    own = own_folder(tmp_path / "own" / "prescription_review", line)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    settings = load_settings(workspace=tmp_path, knowledge=tmp_path / "own")
    assert own_knowledge(settings, "prescription_review") == own
    report = train(hospital, tracking_uri=uri, site=own)
    assert report.knowledge_sha256 == load_knowledge(own).sha256
    assert reproduce(hospital, tracking_uri=uri, run_id=report.run_id, site=own)
    assert evaluate(hospital, tracking_uri=uri, site=own).knowledge_sha256 == report.knowledge_sha256

    def told(**which):
        found = predict(hospital, tracking_uri=uri, every_order=True, **which)
        return sum("livret du CHU" in one.message for one in found)

    assert told(site=own) > 100 and not advice()
    assert told() == 0 and "Train or adapt it again" in advice()


def test_a_folder_of_own_knowledge_is_a_setting(tmp_path: Path):
    assert own_knowledge(load_settings(workspace=tmp_path), "prescription_review") is None
    (tmp_path / "own").mkdir()
    settings = load_settings(workspace=tmp_path, knowledge=tmp_path / "own")
    assert own_knowledge(settings, "prescription_review") is None  # it knows better about other models only
    with pytest.raises(UsageError, match="does not exist"):
        own_knowledge(load_settings(workspace=tmp_path, knowledge=tmp_path / "nowhere"), "prescription_review")
