"""Synthea's Bundles, from the files to OMOP: accounts, panels, days, and no identifier outside the crosswalk."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.etl.sources import Loaded, load

# Source table → (read, mapped, routed, merged, excluded). Nothing is quarantined.
LEDGER = {
    "patient": (16, 16, 0, 0, 0), "organization": (29, 23, 0, 6, 0), "practitioner": (29, 23, 0, 6, 0),
    "encounter": (492, 490, 2, 0, 0), "condition": (133, 114, 19, 0, 0), "procedure": (491, 331, 160, 0, 0),
    "observation": (2_369, 2_358, 11, 0, 0), "observation_component": (296, 296, 0, 0, 0),
    "diagnostic_report": (173, 171, 2, 0, 0), "diagnostic_report_result": (1_351, 0, 0, 0, 1_351),
    "immunization": (200, 200, 0, 0, 0), "medication_request": (112, 112, 0, 0, 0), "allergy": (8, 8, 0, 0, 0),
    "care_plan": (48, 29, 19, 0, 0), "imaging_series": (2, 2, 0, 0, 0), "resource/Claim": (604, 0, 0, 0, 604),
    "resource/ExplanationOfBenefit": (492, 0, 0, 0, 492), "resource/Goal": (30, 0, 0, 0, 30),
}  # fmt: skip
OUTCOMES = ("read", "mapped", "routed", "merged", "excluded")
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"


@pytest.fixture(scope="module")
def bundles(shared_data: Path) -> Path:
    return shared_data / "synthea-fhir-r4"


@pytest.fixture(scope="module")
def patients(bundles: Path) -> list[dict[str, Any]]:
    found = [json.loads(gzip.decompress(path.read_bytes())) for path in sorted(bundles.glob("*.json.gz"))]
    entries = [entry["resource"] for bundle in found for entry in bundle["entry"]]
    return [resource for resource in entries if resource["resourceType"] == "Patient"]


@pytest.fixture(scope="module")
def synthea(bundles: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("synthea_fhir", str(bundles), tmp_path_factory.mktemp("synthea_fhir"), shared_data)


def test_every_resource_is_accounted_for(synthea, capsys):
    ledger = synthea.ledger(capsys)
    assert {name: tuple(entry[outcome] for outcome in OUTCOMES) for name, entry in ledger.items()} == LEDGER
    assert ledger["organization"]["rules"]["merged"] == {"duplicate_row": 6}
    assert ledger["resource/Claim"]["rules"]["excluded"] == {"declared_unused": 604}


def test_a_blood_pressure_is_a_panel_and_two_numbers_that_point_to_it(synthea):
    rows = synthea.rows("measurement")
    panels = {row["measurement_id"]: row for row in rows if row["measurement_source_value"] == "55284-4"}
    numbers = [row for row in rows if row["measurement_source_value"] in (SYSTOLIC, DIASTOLIC)]
    assert len(panels) == 148
    assert Counter(row["measurement_event_id"] for row in numbers) == Counter(list(panels) * 2)
    for row in numbers:
        panel = panels[row["measurement_event_id"]]
        assert (row["person_id"], row["visit_occurrence_id"]) == (panel["person_id"], panel["visit_occurrence_id"])
        assert row["value_as_number"] is not None and panel["value_as_number"] is None


def test_results_point_to_their_report(synthea):
    rows = {row["measurement_id"]: row for row in synthea.rows("measurement")}
    lipids = [row for row in rows.values() if row["measurement_source_value"] == "2093-3"]
    assert {rows[row["measurement_event_id"]]["measurement_source_value"] for row in lipids} == {"57698-3"}


def test_stopped_orders_stay(synthea):
    orders = Counter(row["stop_reason"] for row in synthea.rows("drug_exposure", drug_type_concept_id=32838))
    assert orders == {"stopped": 78, "active": 34}


def test_an_instant_written_in_another_offset_has_the_day_of_massachusetts(synthea):
    # 1991-06-07T23:37:54+00:00 is the same evening in Massachusetts; 2012-11-26T00:19:54+00:00 is the evening before.
    ends = {
        row["procedure_end_date"].isoformat()
        for row in synthea.rows("procedure_occurrence", procedure_source_value="73761001")
    }
    assert "2012-11-25" in ends and "2012-11-26" not in ends


def test_a_code_that_is_no_race_is_a_gap(synthea, capsys):
    assert ("CDC_RACE", "2135-2") in synthea.gaps(capsys)


def test_no_identifier_leaves_the_crosswalk(synthea, patients):
    texts = synthea.texts()
    for patient in patients:
        secrets = [i["value"] for i in patient["identifier"]] + [patient["address"][0]["line"][0]]
        secrets += [patient["telecom"][0]["value"], *(n["family"] for n in patient["name"])]
        assert [secret for secret in secrets if f"{secret.lower()}" in texts.split("\n")] == []
        assert [s for s in secrets if any(c.isdigit() for c in s) and s.lower() in texts] == []
