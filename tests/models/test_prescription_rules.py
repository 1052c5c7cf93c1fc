"""The rules of prescription review, on cases that a pharmacist can read (``golden/prescription_rules.yaml``)."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from models.prescription_review.config import load_config
from models.prescription_review.features import build_cases
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.rules import CATEGORIES
from models.view_store import read_views
from tests.models.hospital_views import SCHEMAS, store_of, utc

GOLDEN = Path(__file__).parent / "golden"
FILES = ("prescription_rules.yaml", "prescription_knowledge.yaml")
CASES = [case for name in FILES for case in yaml.safe_load((GOLDEN / name).read_text(encoding="utf-8"))]
CONCEPTS = {"creatinine": 3020564, "potassium": 3023103}
UNITS = {"creatinine": "µmol/L", "platelets": "G/L", "haemoglobin": "g/dL", "ALT": "UI/L", "CK": "UI/L", "INR": "",
         "digoxin": "µg/L", "vancomycin": "mg/L", "tacrolimus": "µg/L", "TSH": "mUI/L", "neutrophils": "G/L",
         "leucocytes": "G/L"}  # fmt: skip
NAMES = {  # as a French laboratory may name what has no standard concept there
    "platelets": "Plaquettes",
    "haemoglobin": "Hémoglobine",
    "sodium": "Natrémie",
    "glucose": "Glycémie",
    "ALT": "Alanine aminotransférase (ALAT)",
    "CK": "Créatine kinase",
    "neutrophils": "Polynucléaires neutrophiles",
}
BIG = 2**53 + 1  # an id that a float would round


def number_of(letter: str) -> int:
    return BIG + 2 * ord(letter)


def instant(value):
    return utc(value) if isinstance(value, str) else value.replace(tzinfo=utc("2025-01-01").tzinfo)


def person_row(row):
    return {"person_id": number_of(row["who"]), "year_of_birth": row["year_of_birth"], "sex": row["sex"]}


def lab_row(row):
    at = instant(row["at"])
    return {
        "measurement_id": BIG + row["row"],
        "person_id": number_of(row["who"]),
        "measurement_concept_id": CONCEPTS.get(row["what"], 0),
        "concept_name": NAMES.get(row["what"], row["what"]),
        "measured_at": at,
        "value": row["value"],
        "unit": row.get("unit", UNITS.get(row["what"], "mmol/L")),
        "available_at": at + timedelta(minutes=65),
    }


def observation_row(row):
    at = instant(row["at"])
    return {
        "source_id": BIG + row["row"],
        "person_id": number_of(row["who"]),
        "kind": row.get("kind", "weight"),
        "concept_name": row.get("says"),
        "source_code": row.get("code"),
        "observed_at": at,
        "value": row.get("value"),
        "unit": row.get("unit"),
        "value_text": row.get("answer"),
        "available_at": at,
    }


def stay_row(row):
    at = instant(row["at"])
    return {
        "visit_occurrence_id": number_of(row.get("stay", row["who"])),
        "person_id": number_of(row["who"]),
        "kind": row.get("kind", "inpatient"),
        "started_at": at,
        "ended_at": instant(row["left"]) if "left" in row else None,
        "available_at": at,
        "end_available_at": instant(row["left"]) if "left" in row else None,
    }


def diagnosis_row(row):
    return {
        "condition_occurrence_id": BIG + row["row"],
        "person_id": number_of(row["who"]),
        "concept_name": row["code"],
        "source_code": row["code"],
        "available_at": instant(row["available"]),
    }


def order_row(row):
    value, unit = row["dose"].split() if row["dose"] else (None, None)
    return {
        "drug_exposure_id": number_of(row["order"]),
        "person_id": number_of(row["who"]),
        "visit_occurrence_id": number_of(row.get("stay", row["who"])),
        "drug_concept_id": 0,
        "concept_name": row.get("label", row["atc"]),
        "source_code": row["atc"],
        "atc_code": row["atc"],
        "route_concept_id": 0,
        "route_source": row["route"],
        "started_at": instant(row["start"]),
        "ended_at": instant(row["end"]) if "end" in row else None,
        "dose_value": float(value) if value else None,
        "dose_unit": unit,
        "doses_per_day": row["per_day"],
        "available_at": instant(row["start"]),
    }


ROWS = {
    "persons": person_row,
    "lab_results": lab_row,
    "observations": observation_row,
    "stays": stay_row,
    "diagnoses": diagnosis_row,
    "drug_orders": order_row,
}


def findings_of(given, judged_after=0):
    store = store_of(**{view: [ROWS[view](row) for row in rows] for view, rows in given.items()})
    config = load_config().model_copy(update={"judged_within_hours": judged_after})
    return build_cases(read_views(store, config.views, model="test"), config, load_knowledge()).findings


def expected(row):
    table, _, name = row.get("rests_on", "").partition(" ")
    other = -1 if not table else number_of(name) if table == "drug_exposure" else BIG + int(name)
    return number_of(row["order"]), row["rule"], row["severity"], table, other


@pytest.mark.parametrize("case", CASES, ids=[case["story"][:70] for case in CASES])
def test_golden_case(case):
    found = findings_of(case["given"], case.get("judged_after", 0))  # hours; else while the order is written
    rows = zip(
        *(found[name] for name in ("drug_exposure_id", "rule", "severity", "other_table", "other_id")), strict=True
    )
    wanted = sorted(expected(row) for row in case["expect"])
    # Interactions have golden cases of their own: here they count only in cases that speak of them.
    spoken_of = any(row[1] == "interaction" for row in wanted)
    assert sorted(row for row in rows if spoken_of or row[1] != "interaction") == wanted


def test_every_rule_has_a_golden_case():
    assert {row["rule"] for case in CASES for row in case["expect"]} == set(CATEGORIES)


def test_a_hospital_without_any_row_gives_no_finding():
    assert findings_of({view: [] for view in SCHEMAS if view in ROWS}).empty
