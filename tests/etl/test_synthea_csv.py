"""Synthea's CSV export, from its files to OMOP: counts, and two patients whom a clinician can follow.

The files are read from the shared folder. Two that the export lacks, observations and procedures, are written here.
"""

import csv
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.etl.sources import Loaded, load

# Source table → (read, mapped, routed, merged, excluded). Nothing is quarantined.
LEDGER = {
    "patients": (109, 109, 0, 0, 0), "organizations": (305, 305, 0, 0, 0), "providers": (305, 305, 0, 0, 0),
    "encounters": (10_715, 10_706, 9, 0, 0), "conditions": (5_901, 2_133, 3_768, 0, 0),
    "medications": (6_874, 6_874, 0, 0, 0), "immunizations": (2_890, 2_890, 0, 0, 0), "allergies": (81, 81, 0, 0, 0),
    "careplans": (541, 336, 205, 0, 0), "devices": (160, 160, 0, 0, 0), "supplies": (858, 844, 0, 14, 0),
    "imaging_studies": (52, 52, 0, 0, 0), "payer_transitions": (1_970, 1_797, 0, 0, 173), "payers": (10, 0, 0, 0, 10),
    "observations": (3, 1, 1, 0, 1), "procedures": (1, 1, 0, 0, 0),
}  # fmt: skip
TABLES = {
    "person": 109, "death": 9, "visit_occurrence": 10_706, "drug_exposure": 6_874 + 2_890, "device_exposure": 160 + 844,
    "payer_plan_period": 1_797 + 209, "cost": 10_706 + 6_874 + 2_890, "image_occurrence": 52, "care_site": 305,
    "provider": 305, "measurement": 1,
}  # fmt: skip
LIVING_ID, VISIT_ID = "fd54e20d-b34d-2030-3df0-a9e8f4108af5", "be4d004a-ffae-1395-8c36-e0dd0ed34a87"
OBSERVATIONS = [
    ["DATE", "PATIENT", "ENCOUNTER", "CATEGORY", "CODE", "DESCRIPTION", "VALUE", "UNITS", "TYPE"],
    ["2025-08-01T03:06:07Z", LIVING_ID, VISIT_ID, "vital-signs", "8480-6", "Systolic", "128.0", "mm[Hg]", "numeric"],
    ["2025-08-01T03:06:07Z", LIVING_ID, VISIT_ID, "social-history", "72166-2", "Smoking", "Never", "", "text"],
    ["2025-08-01T03:06:07Z", LIVING_ID, "", "", "QALY", "QALY", "36.9", "a", "numeric"],
]
PROCEDURES = [
    ["START", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE", "DESCRIPTION", "BASE_COST", "REASONCODE",
     "REASONDESCRIPTION"],
    ["2025-08-01T03:06:07Z", "2025-08-01T03:30:00Z", LIVING_ID, VISIT_ID, "SNOMED-CT", "399208008", "Chest X-ray",
     "10.0", "", ""],
]  # fmt: skip


@pytest.fixture(scope="module")
def feed(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthea") / "csv"
    shutil.copytree(shared_data / "synthea-csv", folder, ignore=shutil.ignore_patterns("*LICENSE*"))
    folder.chmod(0o755)
    for name, rows in (("observations", OBSERVATIONS), ("procedures", PROCEDURES)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def synthea(feed: Path, shared_data: Path) -> Loaded:
    return load("synthea_csv", str(feed), feed.parent / "W", shared_data)


def column(feed: Path, file: str, name: str) -> list[str]:
    with (feed / f"{file}.csv").open(newline="") as rows:
        return [row[name] for row in csv.DictReader(rows)]


@pytest.fixture(scope="module")
def living(synthea: Loaded) -> int:
    """A man born on 12 May 1988."""
    return int(synthea.only("person", year_of_birth=1988, month_of_birth=5, day_of_birth=12)["person_id"])


@pytest.fixture(scope="module")
def dead(synthea: Loaded) -> int:
    """A man born in 1946, dead on 28 January 1989."""
    return int(synthea.only("death", death_date=date(1989, 1, 28))["person_id"])


def test_every_row_of_every_file_has_the_fate_that_was_counted(synthea, capsys):
    ledger = synthea.ledger(capsys)
    outcomes = ("read", "mapped", "routed", "merged", "excluded")
    assert {name: tuple(entry[o] for o in outcomes) for name, entry in ledger.items()} == LEDGER
    assert sum(entry["quarantined"] for entry in ledger.values()) == 0
    assert ledger["payer_transitions"]["rules"] == {"excluded": {"year_without_insurance": 173}}
    assert ledger["observations"]["rules"]["excluded"] == {"computed_by_the_generator": 1}


def test_tables_hold_as_many_rows_as_the_files_promise(synthea):
    assert {name: len(synthea.rows(name)) for name in TABLES} == TABLES


def test_every_death_arrives_on_its_day(synthea, feed):
    expected = sorted(day for day in column(feed, "patients", "DEATHDATE") if day)
    assert sorted(str(row["death_date"]) for row in synthea.rows("death")) == expected and len(expected) == 9


def test_a_broken_rib_is_seen_imaged_treated_and_billed_in_one_visit(synthea, living):
    """Emergency room on the night of 4 September 2024, New Jersey time."""
    at = datetime(2024, 9, 5, 3, 48, 48, tzinfo=UTC)
    visit = synthea.only("visit_occurrence", person_id=living, visit_start_datetime=at)
    assert (visit["visit_concept_id"], visit["visit_start_date"]) == (9203, date(2024, 9, 4))
    here: dict[str, Any] = {"visit_occurrence_id": visit["visit_occurrence_id"]}
    image = synthea.only("image_occurrence", **here)
    act = synthea.only("procedure_occurrence", procedure_occurrence_id=image["procedure_occurrence_id"])
    assert (image["modality_concept_id"], act["procedure_source_value"]) == (4056681, "399208008")
    drugs = {row["drug_source_value"]: row for row in synthea.rows("drug_exposure", **here)}
    assert set(drugs) == {"861467", "310965"}  # meperidine, ibuprofen
    assert {row["drug_type_concept_id"] for row in drugs.values()} == {32838}
    assert drugs["310965"]["refills"] == 1
    cost = synthea.only("cost", cost_event_id=visit["visit_occurrence_id"], cost_domain_id="Visit")
    assert (cost["total_charge"], cost["paid_by_payer"], cost["paid_by_patient"]) == (5362.25, 0, 5362.25)
    payer = synthea.only("payer_plan_period", payer_plan_period_id=cost["payer_plan_period_id"])
    assert (payer["payer_source_value"], payer["sponsor_source_value"]) == ("Humana", "Spouse")
    assert (payer["payer_plan_period_start_date"], payer["payer_plan_period_end_date"]) == (
        date(2024, 5, 16), date(2025, 5, 14),
    )  # fmt: skip
    plan = synthea.only("observation", value_as_string="Fracture care", **here)
    assert plan["observation_date"] == date(2024, 9, 5)


def test_a_man_allergic_to_nuts_dies_in_hospice_and_his_certificate_is_no_visit(synthea, dead):
    last = max(synthea.rows("visit_occurrence", person_id=dead), key=lambda visit: visit["visit_start_datetime"])
    assert last["visit_concept_id"] == 8546 and last["visit_start_date"] == date(1988, 12, 31)
    certificate = synthea.only("observation", person_id=dead, observation_source_value="308646001")
    assert certificate["visit_occurrence_id"] is None
    nuts = synthea.only("observation", person_id=dead, value_source_value="442571000124108")
    assert (nuts["observation_concept_id"], nuts["value_as_string"]) == (4172024, "Tree nut (substance)")
    reactions = synthea.rows("observation", observation_event_id=nuts["observation_id"])
    assert {(row["value_source_value"], row["qualifier_source_value"]) for row in reactions} == {
        ("39579001", "SEVERE"),  # anaphylaxis, of which the day is not known: no condition
        ("247472004", "MODERATE"),  # wheal
    }
    assert {row["obs_event_field_concept_id"] for row in reactions} == {1147165}
    assert not synthea.rows("condition_occurrence", person_id=dead, condition_source_value="39579001")
    carbamazepine = synthea.only("drug_exposure", person_id=dead, drug_source_value="308971")
    assert carbamazepine["drug_exposure_end_datetime"] is None and carbamazepine["verbatim_end_date"] is None
    wheelchair = synthea.only("device_exposure", person_id=dead)
    assert (wheelchair["device_source_value"], wheelchair["quantity"]) == ("228869008", 1)
    assert wheelchair["device_exposure_end_date"] == date(1973, 1, 1)


def test_a_drug_that_stops_before_it_starts_keeps_its_start_and_the_day_that_was_written(synthea):
    odd = [
        r for r in synthea.rows("drug_exposure") if r["verbatim_end_date"] and r["drug_exposure_end_datetime"] is None
    ]
    assert len(odd) == 2
    assert all(row["drug_exposure_end_date"] == row["drug_exposure_start_date"] for row in odd)


def test_costs_add_up_to_what_the_files_say(synthea, feed):
    totals = {
        domain: round(sum(row["total_charge"] for row in synthea.rows("cost", cost_domain_id=domain)), 2)
        for domain in ("Visit", "Drug")
    }
    certificates = 310.10  # of the man above; the eight others are in the file too
    visits = sum(map(float, column(feed, "encounters", "TOTAL_CLAIM_COST")))
    assert certificates < visits - totals["Visit"] < 9 * 2_000
    drugs = sum(map(float, [*column(feed, "medications", "TOTALCOST"), *column(feed, "immunizations", "BASE_COST")]))
    assert totals["Drug"] == pytest.approx(drugs)


def test_results_and_acts_of_a_full_export_are_read_too(synthea, living):
    systolic = synthea.only("measurement", measurement_source_value="8480-6")
    assert (systolic["measurement_concept_id"], systolic["value_as_number"]) == (3004249, 128.0)
    assert systolic["unit_concept_id"] == 8876
    smoking = synthea.only("observation", observation_source_value="72166-2")  # LOINC says: no measurement
    assert (smoking["observation_concept_id"], smoking["value_source_value"]) == (43054909, "Never")
    act = synthea.rows("procedure_occurrence", procedure_source_value="399208008", person_id=living)
    assert {row["procedure_date"] for row in act} == {date(2024, 9, 4), date(2025, 7, 31)}


def test_nothing_of_a_person_s_papers_names_or_devices_leaves_the_crosswalk(synthea, feed):
    columns = {
        "patients": "Id SSN DRIVERS PASSPORT FIRST LAST MAIDEN ADDRESS LAT LON",
        "providers": "Id NAME", "encounters": "Id", "devices": "UDI", "payer_transitions": "MEMBERID OWNER_NAME",
        "imaging_studies": "Id SERIES_UID INSTANCE_UID",
    }  # fmt: skip
    needles = {value for file, names in columns.items() for name in names.split() for value in column(feed, file, name)}
    texts = synthea.texts()
    assert "humana" in texts and "middlesex county" in texts  # the search sees what may stand there
    assert [needle for needle in needles if needle and needle.lower() in texts] == []
