"""FHIR as record systems send it → rows in the words of the views."""

from datetime import UTC, date, datetime

import pytest

from fhir_adapters.cds_hooks.suite.requests import invented
from fhir_adapters.service.hooks.services import SERVICES
from fhir_adapters.service.record.dosage import dosage, per_day
from fhir_adapters.service.record.history import rows_of
from fhir_adapters.service.record.medication import drug, finder, medication_of
from fhir_adapters.service.record.moments import moment
from fhir_adapters.service.record.orders import active_rows, draft_orders, draft_row, reference_of
from tests.fhir_adapters.service_helpers import NOW, SIGN, order

ATC, LOCAL = "http://www.whocc.no/atc", "https://chu.example/livret"


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}, 3.0),
        ({"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}, 4.0),
        ({"repeat": {"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}}, 2.0),
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}, 1 / 7),
        ({"repeat": {"when": ["MORN", "NOON", "EVE"]}}, 3.0),
        ({"repeat": {"timeOfDay": ["08:00:00", "20:00:00"]}}, 2.0),
        ({"repeat": {"frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "wed", "fri"]}}, 6 / 7),
        ({"repeat": {"dayOfWeek": ["mon"]}}, 1 / 7),
        ({"code": {"coding": [{"code": "BID"}]}}, 2.0),
        ({"code": {"coding": [{"code": "Q6H"}]}}, 4.0),
        ({"code": {"text": "si besoin"}}, None),
        ({"repeat": {"frequency": 2}}, None),  # of which period?
        ({"repeat": {"frequency": "2", "period": 1, "periodUnit": "d"}}, None),
        ({"repeat": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_intakes_a_day(timing, expected):
    assert per_day(timing) == (None if expected is None else pytest.approx(expected))


def instruction(value=None, unit="mg", **members):
    dose = {} if value is None else {"doseAndRate": [{"doseQuantity": {"value": value, "unit": unit}}]}
    return dose | members


def test_several_instructions_give_the_dose_of_a_day():
    morning = instruction(1000, timing={"repeat": {"when": ["MORN"]}})
    later = instruction(500, timing={"repeat": {"when": ["NOON", "EVE"]}})
    found = dosage({"dosageInstruction": [morning, later]}, None)
    assert found["doses_per_day"] == 3.0 and found["dose_value"] * 3 == pytest.approx(2000)


def test_doses_in_different_units_are_no_dose():
    found = dosage({"dosageInstruction": [instruction(1), instruction(1, "g")]}, None)
    assert found["dose_value"] is None is found["dose_unit"]


def test_of_a_range_the_higher_dose_is_judged():
    ranged = {"doseAndRate": [{"doseRange": {"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}}}]}
    assert dosage({"dosageInstruction": [ranged]}, None)["dose_value"] == 2.0


TABLET = {"numerator": {"value": 500, "unit": "mg"}, "denominator": {"value": 1, "unit": "comprimé", "code": "{tbl}"}}


@pytest.mark.parametrize(
    ("unit", "ingredients", "expected"),
    [
        ("comprimé", [{"strength": TABLET}], (1000.0, "mg")),
        ("{tbl}", [{"strength": TABLET}], (1000.0, "mg")),
        ("sachet", [{"strength": TABLET}], (2.0, "sachet")),
        ("comprimé", [{"strength": TABLET}, {"strength": TABLET}], (2.0, "comprimé")),
        ("comprimé", [{}], (2.0, "comprimé")),
        ("mg", [{"strength": TABLET}], (2.0, "mg")),
    ],
)
def test_tablets_become_substance_where_the_drug_says_how_much_they_hold(unit, ingredients, expected):
    found = dosage({"dosageInstruction": [instruction(2, unit)]}, {"ingredient": ingredients})
    assert (found["dose_value"], found["dose_unit"]) == expected


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}], "text": "voie orale"}, "orale"),
        ({"coding": [{"code": "20045000"}]}, "intraveineuse"),
        ({"text": "PO"}, "PO"),
        ({"coding": [{"code": "INH", "display": "inhalée"}]}, "inhalée"),
        ({"coding": [{"code": "INH"}]}, "INH"),
        (None, None),
    ],
)
def test_routes(route, expected):
    assert dosage({"dosageInstruction": [{"route": route}]}, None)["route_source"] == expected


@pytest.mark.parametrize(
    ("codings", "expected"),
    [
        ([{"system": ATC, "code": "n02be01"}], ("N02BE01", "N02BE01")),
        ([{"system": f"{ATC}/", "code": "N02BE01"}, {"system": LOCAL, "code": "9000"}], ("N02BE01", "9000")),
        ([{"system": LOCAL, "code": "9000"}], (None, "9000")),
        ([{"system": LOCAL, "code": "1"}, {"system": LOCAL, "code": "2", "userSelected": True}], (None, "2")),
        ([{"system": ATC, "code": "N02"}], (None, None)),  # a group is no substance
        ([{"code": "9000"}], (None, "9000")),
        ([], (None, None)),
    ],
)
def test_codes_of_a_drug(codings, expected):
    found = drug({"medicationCodeableConcept": {"coding": codings, "text": "paracétamol"}}, None)
    assert (found["atc_code"], found["source_code"]) == expected and found["concept_name"] == "paracétamol"


def test_a_drug_is_found_inside_the_order_or_beside_it():
    medication = {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": ATC, "code": "N02BE01"}]}}
    beside = {"entry": [{"fullUrl": "urn:uuid:1", "resource": medication}]}
    for made, bundle in (
        ({"medicationReference": {"reference": "#m"}, "contained": [medication]}, {}),
        ({"medicationReference": {"reference": "Medication/m"}}, beside),
        ({"medicationReference": {"reference": "Medication/m/_history/3"}}, beside),
        ({"medicationReference": {"reference": "urn:uuid:1"}}, beside),
    ):
        assert drug(made, medication_of(made, finder(bundle)))["atc_code"] == "N02BE01"
    lost = {"medicationReference": {"reference": "Medication/x", "display": "inconnu"}}
    assert medication_of(lost, finder(beside)) is None
    assert drug(lost, None) == {"atc_code": None, "source_code": None, "concept_name": "inconnu"}


def test_only_orders_of_drugs_that_are_to_be_given_are_judged():
    others = [order(status="cancelled"), order(doNotPerform=True), {"resourceType": "ServiceRequest"}, None, 3]
    bundle = {"entry": [{"resource": one} for one in (order(), *others)] + [None, {}]}
    assert draft_orders(bundle) == [order()]
    assert draft_orders(None) == draft_orders({"entry": 3}) == []


def test_the_row_of_a_draft_is_that_of_the_patient_the_order_and_the_day():
    def row(one=None, person=1, at=NOW):
        return draft_row(one or order(), finder(None), person_id=person, at=at)["drug_exposure_id"]

    assert row() == row() < 0
    others = [row(order(dose=1.0)), row(person=2), row(at=datetime(2026, 3, 6, tzinfo=UTC)), row(order("d2"))]
    assert len({row(), *others}) == 5
    assert reference_of(order()) == "MedicationRequest/d1" and reference_of({}) is None


def test_active_orders_have_their_times_and_nothing_lies_in_the_future():
    ended = {"dispenseRequest": {"validityPeriod": {"end": "2026-03-09"}}}
    bundle = {"entry": [{"resource": order(authoredOn="2026-03-01T08:00:00+01:00") | ended},
                        {"resource": order("d2", authoredOn="2027-01-01")}, {"resource": order("d3")}]}  # fmt: skip
    one, two, three = active_rows(bundle, NOW)
    assert one["started_at"] == datetime(2026, 3, 1, 7, tzinfo=UTC) and one["ended_at"].day == 9
    assert two["started_at"] == three["available_at"] == NOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025", "2025-01-01T00:00:00+00:00"), ("2025-03", "2025-03-01T00:00:00+00:00"),
        ("2025-03-05T10:00:00+02:00", "2025-03-05T08:00:00+00:00"),
        ("2025-03-05T10:00:00Z", "2025-03-05T10:00:00+00:00"),
        ("2025-03-05T10:00:00", None), ("2025-13", None), ("demain", None), (3, None), (None, None),
    ],
)  # fmt: skip
def test_moments(text, expected):
    found = moment(text)
    assert (found and found.isoformat()) == expected


def test_the_record_of_an_invented_patient_becomes_rows():
    request = invented(SERVICES[SIGN])
    rows = rows_of(request["prefetch"], NOW.replace(year=2100))
    assert rows["persons"] == [{"year_of_birth": 1943, "birth_date": date(1943, 2, 11), "sex": "F"}]
    assert {row["source_code"] for row in rows["diagnoses"]} >= {"N18.4", "I48.9"}
    names = {row["concept_name"] for row in rows["lab_results"]}
    assert names and names <= {"creatinine", "potassium", "INR"}
    ids = [row[name] for view, name in (("drug_orders", "drug_exposure_id"), ("diagnoses", "condition_occurrence_id"),
                                        ("lab_results", "measurement_id")) for row in rows[view]]  # fmt: skip
    assert all(id_ < 0 for id_ in ids) and len(set(ids)) == len(ids)


def observation(**members):
    return {"resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-03-04T08:00:00Z",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
            "valueQuantity": {"value": 5.9, "unit": "mmol/L", "code": "mmol/L"}} | members  # fmt: skip


@pytest.mark.parametrize(
    "members",
    [{"status": "entered-in-error"}, {"valueQuantity": {}}, {"code": {"coding": [{"system": "x", "code": "2823-3"}]}},
     {"valueQuantity": {"value": "5.9"}}],
)  # fmt: skip
def test_what_is_no_result_of_ours_is_left_out(members):
    rows = rows_of({"labs": {"entry": [{"resource": observation(**members)}]}}, NOW)
    assert not rows["lab_results"] and not rows["observations"]


def test_a_result_is_known_when_it_was_issued_and_a_weight_is_an_observation():
    weight = observation(code={"coding": [{"system": "http://loinc.org", "code": "29463-7"}]})
    labs = {"entry": [{"resource": observation(issued="2026-03-04T09:30:00Z")}, {"resource": weight}]}
    rows = rows_of({"labs": labs}, NOW)
    assert rows["lab_results"][0]["available_at"].hour == 9 and rows["lab_results"][0]["measured_at"].hour == 8
    assert rows["observations"][0]["kind"] == "weight"


def test_a_refuted_diagnosis_is_none_and_another_code_system_is_not_icd10():
    def condition(system, code, status="confirmed"):
        return {"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]},
                "verificationStatus": {"coding": [{"code": status}]}, "recordedDate": "2026-01-01"}  # fmt: skip

    icd, french = "http://hl7.org/fhir/sid/icd-10", "https://smt.esante.gouv.fr/terminologie-cim-10/"
    sent = [("I50.9", icd), ("K25", icd, "refuted"), ("N184", french), ("84114007", "http://snomed.info/sct")]
    conditions = [condition(system, code, *status) for code, system, *status in sent]
    rows = rows_of({"conditions": {"entry": [{"resource": one} for one in conditions]}}, NOW)["diagnoses"]
    assert [row["source_code"] for row in rows] == ["I50.9", "N184"]


@pytest.mark.parametrize("nonsense", [None, 3, "x", [], {}, {"entry": 3}, {"entry": [3, None, {"resource": []}]}])
def test_nonsense_gives_no_rows(nonsense):
    rows = rows_of({"patient": nonsense, "medications": nonsense, "conditions": nonsense, "labs": nonsense}, NOW)
    assert not any(rows.values())
