"""Our STOPP and START lines against the code lists of an independent implementation, as a test oracle only.

The lists know codes, not the logic between them. A difference is a question, which stands here, not a failure; what
fails is a difference about which nobody has asked.
"""

import csv
import re

import pytest

from models.prescription_review.knowledge import load_knowledge

KNOWLEDGE = load_knowledge()
# Criterion of the lists -> why ours meets fewer than half of their codes, or is absent. For a pharmacist to answer.
QUESTIONS = {
    "START_A2": "aspirin instead of an anticoagulant in atrial fibrillation: left out, anticoagulants are superior",
    "START_A4": "antihypertensive where the pressure stays high: this model reads no blood pressure",
    "START_A6": "ACE inhibitor: ours asks for heart failure, theirs also for any coronary disease",
    "START_C3": "anticholinesterase in Alzheimer's disease: not proposed, no longer reimbursed in France since 2018",
    "START_C5": "antidepressant in anxiety: the severity that the criterion asks for is in no code",
    "START_C6": "restless legs: their list also holds the iron deficiency that excludes it",
    "START_E3": "osteoporosis: theirs takes any recent fracture for one",
    "START_E4": "osteoporosis: theirs takes any recent fracture for one; ours the fracture with osteoporosis",
    "START_E5": "falls: theirs has more codes of external causes, which French hospitals hardly write",
    "START_E7": "methotrexate: theirs has L04X03, which is no code; ours the weekly form only (L04AX03)",
    "START_G3": "vaginal oestrogen: not a treatment that a hospital pharmacist adds",
    "START_H1": "strong opioid where paracetamol fails: the intensity of pain is in no view",
    "STOPP_B6": "loop diuretic first in hypertension: theirs excludes by other antihypertensives, ours by "
    "heart, liver and kidney disease",
    "STOPP_G2": "steroids in chronic bronchitis: ours asks for J44",
    "STOPP_H8": "NSAID with steroid: theirs counts aspirin and rare steroids",
    "STOPP_J2": "glitazones: withdrawn in France; theirs lists every combination",
    "STOPP_J3": "beta-blocker in diabetes: theirs wants any diabetes code, ours hypoglycaemia and its treatment",
    "STOPP_J5": "oestrogen without progestogen: theirs counts antiandrogens and tibolone",
    "STOPP_L2": "opioid without laxative: our START line at any age says it; one finding is enough",
    "STOPP_M1": "two anticholinergics: criterion N of version 2; their list calls it M1",
}
BARELY = 0.5


def name_of(criterion: str) -> str:
    return criterion.replace(" (v3)", "")


def theirs(folder):
    """Criterion -> the distinct alternatives of its patterns, dots stripped, drug codes and diagnoses together."""
    found = {}
    with (folder / "stopp_start_code_patterns.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for part in row["atc_or_icd10_regex"].split("|"):
                code = re.sub(r"[^A-Z0-9]", "", part)
                if re.match(r"[A-Z]\d", code):  # leaves out the units of time and the codes that lack their letter
                    found.setdefault(row["criterion"], set()).add(code)
    return found


def ours(table, criterion):
    columns = ("atc", "with_atc", "unless_atc", "icd10", "unless_icd10")
    lines = table[table["criterion"] == criterion]
    return {code.removeprefix("-") for column in columns for text in lines[column] for code in text.split("|") if code}


def meets(code, codes):
    return any(code.startswith(one) or one.startswith(code) for one in codes)


def shares(folder):
    """Criterion -> share of their codes that meet one of ours."""
    found = {}
    for criterion, codes in theirs(folder).items():
        kind, _, name = criterion.partition("_")
        mine = ours(KNOWLEDGE.stopp if kind == "STOPP" else KNOWLEDGE.start, "G1" if name == "G1_2" else name)
        found[criterion] = sum(meets(code, mine) for code in codes) / len(codes)
    return found


@pytest.mark.shared
def test_every_criterion_of_the_lists_is_ours_or_a_question(shared_data):
    barely = {criterion for criterion, share in shares(shared_data / "stopp-start").items() if share < BARELY}
    assert barely == set(QUESTIONS), (barely - set(QUESTIONS), set(QUESTIONS) - barely)


@pytest.mark.shared
def test_most_codes_of_the_criteria_are_in_both(shared_data):
    found = shares(shared_data / "stopp-start")
    assert len(found) == 92
    assert sum(share >= BARELY for share in found.values()) >= 70


def test_every_line_says_its_criterion_its_conditions_and_its_reason():
    for table in (KNOWLEDGE.stopp, KNOWLEDGE.start):
        assert (table["criterion"] != "").all() and (table["reason"] != "").all()
    assert KNOWLEDGE.stopp["age_from"].eq(65).all()
    assert KNOWLEDGE.stopp["criterion"].map(name_of).nunique() >= 60
    triggered = KNOWLEDGE.start[["atc", "icd10", "analyte"]].ne("").any(axis=1)
    assert triggered.all() and KNOWLEDGE.start["unless_atc"].ne("").all()
