"""Interactions of two orders, on cases that a pharmacist can read (``golden/interactions.yaml``)."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models.prescription_review.config import load_config
from models.prescription_review.explain import _of_interaction
from models.prescription_review.features import build_cases
from models.prescription_review.interactions.findings import Interactions
from models.prescription_review.interactions.thesaurus import ThesaurusError
from models.prescription_review.knowledge import FOLDER, load_knowledge
from models.view_store import read_views
from tests.models.hospital_views import store_of, utc

CASES = yaml.safe_load((Path(__file__).parent / "golden" / "interactions.yaml").read_text(encoding="utf-8"))
KNOWLEDGE = load_knowledge()
INTERACTIONS = KNOWLEDGE.interactions
FIRST, THEN = 2**53 + 1, 2**53 + 3  # ids that a float would round
START = utc("2025-03-05T09:00")


def order_row(number, text, start, end=None, person=1):
    atc, dose, unit, per_day, route = text.split()
    return {
        "drug_exposure_id": number,
        "person_id": person,
        "visit_occurrence_id": 1,
        "drug_concept_id": 0,
        "concept_name": atc,
        "source_code": atc,
        "atc_code": atc,
        "route_concept_id": 0,
        "route_source": route,
        "started_at": start,
        "ended_at": end,
        "dose_value": None if dose == "-" else float(dose),
        "dose_unit": unit,
        "doses_per_day": float(per_day),
        "available_at": start,
    }


def views_of(case):
    lab, before = START - timedelta(hours=6), START - timedelta(days=30)
    labs = [(1, 3023103, "potassium", case["potassium"], "mmol/L")] if "potassium" in case else []
    return {
        "persons": [{"person_id": 1, "year_of_birth": case.get("born", 1970), "sex": "M"}],
        "drug_orders": [
            order_row(FIRST, case["first"], START - timedelta(days=1)),
            order_row(THEN, case["then"], START),
        ],
        "lab_results": [
            {
                "measurement_id": number,
                "person_id": 1,
                "measurement_concept_id": concept,
                "concept_name": name,
                "measured_at": lab,
                "value": value,
                "unit": unit,
                "available_at": lab,
            }
            for number, concept, name, value, unit in labs
        ],
        "diagnoses": [
            {
                "condition_occurrence_id": 1,
                "person_id": 1,
                "concept_name": code,
                "source_code": code,
                "available_at": before,
            }
            for code in [case["diagnosis"]]
            if code
        ]
        if "diagnosis" in case
        else [],
        "stay_units": [
            {
                "visit_detail_id": 1,
                "person_id": 1,
                "kind": "critical care",
                "started_at": START - timedelta(days=2),
                "available_at": START - timedelta(days=2),
            }
        ]
        if case.get("critical_care")
        else [],
    }


def found_of(views, knowledge=KNOWLEDGE):
    config = load_config().model_copy(update={"judged_within_hours": 0})  # the cases speak of the order being written
    findings = build_cases(read_views(store_of(**views), config.views, model="test"), config, knowledge).findings
    return findings[findings["rule"] == "interaction"]


@pytest.mark.parametrize("case", CASES, ids=[case["story"] for case in CASES])
def test_golden_case(case):
    found = found_of(views_of(case))
    said = [
        (KNOWLEDGE.line(row.line)["level"], row.severity, row.drug_exposure_id, row.other_id)
        for row in found.itertuples()
    ]
    assert said == ([(case["level"], case["severity"], THEN, FIRST)] if "level" in case else [])
    for row in found.itertuples():
        words = INTERACTIONS.note_words(row.line, row.note)
        assert words["state"] == case["state"] if "state" in case else True
        assert words["reason"].startswith(case.get("reason", ""))
        assert bool(words["reason"]) == ("reason" in case)


def test_the_sentence_has_mechanism_condition_and_edition():
    case = next(case for case in CASES if case["story"] == "Warfarine et aspirine 75 mg")
    row = next(found_of(views_of(case)).itertuples())
    line = KNOWLEDGE.line(row.line)
    text = _of_interaction(line, INTERACTIONS.note_words(row.line, row.note))
    assert line["edition"] == "2020-10-20" and "ANSM" in line["source"]
    assert "risque hémorragique" in text and "doses antiagrégantes" in text
    assert "La condition de ce niveau est remplie." in text
    assert "Niveau « contre-indication » non retenu : sa condition n'est pas remplie." in text


def test_a_suppressed_alert_says_why():
    case = next(case for case in CASES if case.get("reason") == "patient en soins critiques")
    row = next(found_of(views_of(case)).itertuples())
    text = _of_interaction(KNOWLEDGE.line(row.line), INTERACTIONS.note_words(row.line, row.note))
    assert "Signalée sans interruption : patient en soins critiques" in text


def test_a_renewal_of_a_discouraged_association_does_not_interrupt_again_but_a_contra_indication_does():
    day = timedelta(days=1)
    for then, expected in (("N02AX02 50 mg 3 PO", ["moderate", "low"]), ("N05BB01 25 mg 2 PO", ["high", "high"])):
        rows = [
            order_row(1, "N06AB04 20 mg 1 PO", START - 9 * day),
            order_row(3, then, START, START + 2 * day),
            order_row(5, then, START + 4 * day),
        ]
        if expected == ["moderate", "low"]:
            rows[0] = order_row(1, "N05AN01 250 mg 3 PO", START - 9 * day)
            rows[1:] = [
                order_row(3, "M01AE01 400 mg 3 PO", START, START + 2 * day),
                order_row(5, "M01AE01 400 mg 3 PO", START + 4 * day),
            ]
        found = found_of({"persons": [{"person_id": 1, "year_of_birth": 1970, "sex": "F"}], "drug_orders": rows})
        assert found.sort_values("drug_exposure_id")["severity"].tolist() == expected


CODES = st.sampled_from(
    ["C10AA01", "J01FA09", "N06AB04", "N05BB01", "C01BD01", "M01AE01", "B01AA03", "H03AA01", "X", ""]
)
ROUTES = st.sampled_from(["PO", "IV", "collyre", ""])
ORDERS = st.lists(st.tuples(CODES, ROUTES, st.integers(0, 3), st.integers(1, 3)), max_size=8)


@settings(max_examples=40)
@given(ORDERS)
def test_two_orders_written_together_see_the_same_interactions(orders):
    rows = [
        order_row(2 * number + 1, f"{code or 'X'} 10 mg 1 {route or 'x'}", START)
        | {"atc_code": code, "route_source": route}
        for number, (code, route, _, _) in enumerate(orders)
    ]
    found = found_of({"persons": [{"person_id": 1, "year_of_birth": 1970, "sex": "F"}], "drug_orders": rows})
    seen = {(row.drug_exposure_id, row.other_id): row.line.split(".")[0] for row in found.itertuples()}
    codes = {row["drug_exposure_id"]: row["atc_code"] for row in rows}
    for (one, other), entry in seen.items():
        assert codes[one] != codes[other]  # never a substance with itself
        assert entry in {line for (a, b), line in seen.items() if codes[a] == codes[other] and codes[b] == codes[one]}
    pairs = [(row.drug_exposure_id, codes[row.other_id]) for row in found.itertuples()]
    assert len(pairs) == len(set(pairs))  # a drug once for each order


@settings(max_examples=40)
@given(ORDERS)
def test_an_order_that_is_not_active_changes_nothing(orders):
    def row(number, code, route, day, days):
        start = START + timedelta(days=day)
        text = f"{code or 'X'} 10 mg 1 {route or 'x'}"
        return order_row(number, text, start, start + timedelta(days=days)) | {"atc_code": code}

    rows = [row(2 * n + 1, *order) for n, order in enumerate(orders)]
    over = row(999, "C10AA01", "PO", -20, 5)
    person = [{"person_id": 1, "year_of_birth": 1970, "sex": "F"}]
    before, after = (found_of({"persons": person, "drug_orders": some}) for some in (rows, [*rows, over]))
    columns = ["drug_exposure_id", "line", "severity", "other_id"]
    assert before[columns].values.tolist() == after[after["drug_exposure_id"] != 999][columns].values.tolist()


def test_another_persons_order_is_nobodys_interaction():
    rows = [order_row(1, "C10AA01 20 mg 1 PO", START), order_row(3, "J01FA09 500 mg 2 PO", START, person=2)]
    people = [{"person_id": number, "year_of_birth": 1970, "sex": "F"} for number in (1, 2)]
    assert found_of({"persons": people, "drug_orders": rows}).empty


def test_a_hospital_puts_a_newer_edition(tmp_path):
    for name in ("thesaurus", "substances"):
        text = (FOLDER / "ansm" / f"{name}_2020-10-20.json").read_text(encoding="utf-8")
        (tmp_path / f"{name}_2023-09-01.json").write_text(text, encoding="utf-8")
    newer = Interactions(tmp_path)
    number = [newer.catalogue.number(code, "") for code in ("C10AA01", "J01FA09")]
    assert newer.catalogue.options(*number)
    assert newer.line("ANSM-0000.0")["edition"] == "2023-09-01"


ACCEPTED = "substance_a,substance_b,reason,source,edition,checked\n"
OXYCODONE = "Oxycodone,fluconazole,doses titrées,COMEDIMS,2026-03,texte\n"


@pytest.mark.parametrize(
    ("first", "then", "line", "severity"),
    [
        ("J02AC01 400 mg 1 PO", "N02AA05 10 mg 2 PO", OXYCODONE, "low"),
        ("J02AC01 400 mg 1 PO", "N02AA05 10 mg 2 PO", "", "moderate"),
        # Two of one entry are a contra-indication, and stay one.
        ("C09DX04 97 mg 2 PO", "C09AA05 5 mg 1 PO",
         "médicaments à risque d'angio-œdème,\"médicaments, bradykinine et angio-œdème\",revue,COMEDIMS,2026,texte\n",
         "high"),
    ],
)  # fmt: skip
def test_an_association_that_a_hospital_accepts_is_shown_without_interrupting(tmp_path, first, then, line, severity):
    (tmp_path / "ansm").mkdir()
    (tmp_path / "ansm" / "accepted_associations.csv").write_text(ACCEPTED + line, encoding="utf-8")
    own = load_knowledge(tmp_path)
    assert own.interactions.catalogue.thesaurus.edition == "2020-10-20"
    assert bool(line) == bool(own.interactions.accepted) and (own.sha256 != KNOWLEDGE.sha256) == bool(line)
    (found,) = found_of(views_of({"first": first, "then": then}), own).itertuples()
    assert found.severity == severity
    said = own.interactions.note_words(found.line, found.note)["reason"]
    assert said == ("association admise dans l'établissement : doses titrées" if severity == "low" else "")


def test_a_table_of_rules_that_is_older_than_a_rule_keeps_its_words(tmp_path):
    header = "rule,words,reason,source,edition,checked\n"
    (tmp_path / "context_rules.csv").write_text(header + "soins_critiques,en réanimation,r,s,e,texte\n", "utf-8")
    own = Interactions(tmp_path)
    assert own.rules["soins_critiques"]["words"] == "en réanimation"
    assert own.rules["association_admise"] == INTERACTIONS.rules["association_admise"]


@pytest.mark.parametrize(
    "line",
    [
        "oxycodone,flucanazole,r,s,e,texte\n",  # no such end
        "oxycodone,fluconazole,,s,e,texte\n",  # nobody said why
        "simvastatine,macrolides (sauf spiramycine),r,s,e,texte\n",  # contra-indicated for all
        "morphiniques,médicaments atropiniques,r,s,e,texte\n",  # never interrupts
    ],
)
def test_what_cannot_be_accepted_is_refused(tmp_path, line):
    (tmp_path / "accepted_associations.csv").write_text(ACCEPTED + line, encoding="utf-8")
    with pytest.raises(ThesaurusError, match="cannot be accepted"):
        Interactions(tmp_path)


NO_SUCH_LEVEL = (
    '[{"main_drug": "A", "plus_drug": "B", "severity_levels": [{"level": "grave", "info": ""}], '
    '"interaction_mechanism": ""}]'
)


@pytest.mark.parametrize("text", ["{", '[{"main_drug": "A"}]', NO_SUCH_LEVEL])
def test_a_file_of_another_shape_is_refused(tmp_path, text):
    (tmp_path / "thesaurus_2023-09-01.json").write_text(text, encoding="utf-8")
    (tmp_path / "substances_2023-09-01.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ThesaurusError, match="2023-09-01"):
        Interactions(tmp_path)


def test_a_folder_without_an_edition_is_refused(tmp_path):
    with pytest.raises(ThesaurusError, match="no interaction thesaurus"):
        Interactions(tmp_path)


def test_no_order_at_all():
    empty = found_of({"persons": []})
    assert empty.empty and np.array(empty["note"]).dtype == object
