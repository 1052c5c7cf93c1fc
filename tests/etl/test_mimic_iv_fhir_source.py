"""MIMIC-IV as FHIR against the same patients as CSV files: what both carry agrees, row by row; the rest is counted.

Figures were counted in the files beforehand; none of their rows stands here.
"""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from omop.delta_read import dataset
from omop.lake import Lake
from tests.etl.sources import Loaded, load

# Source table → rows (read, mapped, routed, merged, excluded, quarantined) with the piece of vocabulary of the tests.
LEDGER = {
    "patient": (100, 100, 0, 0, 0, 0), "organization": (1, 1, 0, 0, 0, 0), "ward": (31, 31, 0, 0, 0, 0),
    "encounter": (637, 637, 0, 0, 0, 0), "encounter_location": (861, 861, 0, 0, 0, 0),
    "encounter_act": (61, 61, 0, 0, 0, 0), "condition": (5_051, 5_013, 38, 0, 0, 0),
    "procedure": (722, 722, 0, 0, 0, 0), "procedure_ed": (1_260, 1_260, 0, 0, 0, 0),
    "procedure_icu": (1_468, 1_260, 208, 0, 0, 0), "medication": (1_794, 0, 0, 0, 1_794, 0),
    "medication_ingredient": (634, 0, 0, 0, 634, 0), "medication_request": (17_552, 17_552, 0, 0, 0, 0),
    "medication_dispense": (14_293, 0, 0, 14_293, 0, 0), "medication_dispense_ed": (1_082, 1_082, 0, 0, 0, 0),
    "medication_administration": (36_131, 26_928, 0, 5_357, 3_846, 0),
    "medication_administration_icu": (20_404, 20_373, 0, 0, 31, 0),
    "medication_statement": (2_411, 2_411, 0, 0, 0, 0), "observation_output": (9_362, 9_362, 0, 0, 0, 0),
    "observation_date": (15_280, 2_377, 173, 12_725, 0, 5), "observation_ed": (2_742, 1_399, 0, 0, 1_343, 0),
    "observation_vital": (6_300, 5_536, 0, 0, 764, 0), "observation_vital_component": (2_520, 2_394, 0, 0, 126, 0),
    "observation_micro_test": (1_893, 1_641, 0, 252, 0, 0), "observation_micro_organism": (338, 338, 0, 0, 0, 0),
    "observation_micro_susceptibility": (1_036, 1_036, 0, 0, 0, 0), "specimen_micro": (1_336, 1_336, 0, 0, 0, 0),
    "specimen_lab": (11_122, 11_122, 0, 0, 0, 0),
}  # fmt: skip
OUTCOMES = ("read", "mapped", "routed", "merged", "excluded", "quarantined")
NOT_DONE = {
    "not_given": 177, "not_given_per_sliding_scale": 4, "dose_held": 5, "running_infusion_checked": 6,
    "end_without_start": 44, "neither_event_nor_dose": 3_610,
}  # fmt: skip
# Mapping → OMOP rows; those of the CSV source are in test_mimic_iv_source.py.
ROWS = {
    "drug_exposure.prescription": 18_087 + 2_327, "drug_exposure.administration": 26_928,
    "drug_exposure.infusion": 20_373, "procedure_occurrence.icd": 722, "procedure_occurrence.hcpcs": 61,
    "procedure_occurrence.icu": 1_468, "procedure_occurrence.charted_date": 2_550, "measurement.output": 9_362,
    "measurement.microbiology": 1_641, "measurement.organism": 338, "measurement.susceptibility": 1_036,
    "specimen.microbiology": 1_336, "visit_detail.move": 861, "visit_detail.encounter": 140 + 172,
    "visit_occurrence": 275 + 50, "person": 100, "death": 31,
}  # fmt: skip
EMERGENCY, OBSERVATION = 9203, 9202


@pytest.fixture(scope="module")
def loaded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = shared_data / "mimic-iv-demo" / "fhir"
    return load("mimic_iv_fhir", str(folder), tmp_path_factory.mktemp("mimic_iv_fhir"), shared_data)


@pytest.fixture(scope="module")
def files(shared_data: Path) -> Path:
    return shared_data / "mimic-iv-demo" / "csv"


def rows_of(files: Path, name: str) -> Iterator[dict[str, str]]:
    with gzip.open(files / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def columns(loaded: Loaded, table: str, *names: str, **where: Any) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in names) for row in loaded.rows(table, **where))


def test_every_resource_is_accounted_for(loaded, capsys):
    ledger = loaded.ledger(capsys)
    assert {name: tuple(entry[outcome] for outcome in OUTCOMES) for name, entry in ledger.items()} == LEDGER
    assert all(entry["read"] == sum(entry[o] for o in OUTCOMES[1:]) for entry in ledger.values())
    assert ledger["medication_administration"]["rules"]["excluded"] == NOT_DONE


def test_rows_are_as_many_as_the_readme_says(loaded):
    provenance = dataset(Lake(loaded.workspace).ops("provenance")).to_table(columns=["mapping"])
    found = Counter(provenance["mapping"].to_pylist())
    assert {name: found[name] for name in ROWS} == ROWS


def test_the_same_hundred_persons_and_their_deaths(loaded, files):
    patients = list(rows_of(files, "hosp/patients"))
    born = Counter((p["gender"], int(p["anchor_year"]) - int(p["anchor_age"])) for p in patients)
    sex = {8507: "M", 8532: "F"}
    people = loaded.rows("person")
    assert Counter((sex[p["gender_concept_id"]], p["year_of_birth"]) for p in people) == born
    assert columns(loaded, "death", "death_date") == Counter((day(p["dod"]),) for p in patients if p["dod"])


def test_the_same_275_stays_with_the_same_days(loaded, files):
    told = Counter((day(a["admittime"]), day(a["dischtime"])) for a in rows_of(files, "hosp/admissions"))
    stays = [row for row in loaded.rows("visit_occurrence") if row["visit_concept_id"] != EMERGENCY]
    assert Counter((s["visit_start_date"], s["visit_end_date"]) for s in stays) == told
    observed = sum("OBSERVATION" in a["admission_type"] for a in rows_of(files, "hosp/admissions"))
    admitted = sum(a["admission_type"] == "OBSERVATION ADMIT" for a in rows_of(files, "hosp/admissions"))
    assert sum(s["visit_concept_id"] == OBSERVATION for s in stays) == observed - admitted == 42


def test_the_same_moves_and_intensive_care_stays(loaded, files):
    moves = [m for m in rows_of(files, "hosp/transfers") if m["hadm_id"] and m["eventtype"] != "discharge"]
    told = Counter((day(m["intime"]), day(m["outtime"])) for m in [*moves, *rows_of(files, "icu/icustays")])
    found = columns(loaded, "visit_detail", "visit_detail_start_date", "visit_detail_end_date")
    assert (told - found, (found - told).total()) == (Counter(), 172)  # the emergency visits inside a stay


def test_the_same_diagnoses_and_procedures(loaded, files):
    admitted = {a["hadm_id"]: day(a["admittime"]) for a in rows_of(files, "hosp/admissions")}
    told = {(d["icd_code"].strip(), admitted[d["hadm_id"]]) for d in rows_of(files, "hosp/diagnoses_icd")}
    found = {(r["condition_source_value"], r["condition_start_date"]) for r in loaded.rows("condition_occurrence")}
    found |= {(r["observation_source_value"], r["observation_date"]) for r in loaded.rows("observation")}
    assert told <= found
    done = Counter((p["icd_code"].strip(), day(p["chartdate"])) for p in rows_of(files, "hosp/procedures_icd"))
    acts = columns(loaded, "procedure_occurrence", "procedure_source_value", "procedure_date")
    assert not done - acts


def test_the_same_intake_and_output_of_intensive_care(loaded, files):
    given = Counter(  # what has no rate is dated by its end in FHIR
        (i["itemid"], day(i["starttime"] if i["rate"] else i["endtime"]), round(float(i["amount"]), 4))
        for i in rows_of(files, "icu/inputevents")
        if float(i["amount"]) > 0
    )
    found = Counter(
        (r["drug_source_value"], r["drug_exposure_start_date"], round(r["quantity"], 4))
        for r in loaded.rows("drug_exposure", drug_type_concept_id=32818)
        if r["visit_detail_id"] is not None
    )
    assert found == given
    left = Counter((o["itemid"], day(o["charttime"]), float(o["value"])) for o in rows_of(files, "icu/outputevents"))
    measured = columns(loaded, "measurement", "measurement_source_value", "measurement_date", "value_as_number")
    assert not left - measured


def test_stopped_orders_stay_and_end_when_they_were_stopped(loaded):
    stopped = loaded.rows("drug_exposure", drug_type_concept_id=32838, stop_reason="stopped")
    assert len({row["drug_exposure_id"] for row in stopped}) == len(stopped) > 5_851
    assert all(row["drug_exposure_end_date"] >= row["drug_exposure_start_date"] for row in stopped)
    assert sum(row["verbatim_end_date"] is not None for row in stopped) >= 3_309


def test_a_pressure_points_to_its_panel_and_a_susceptibility_to_its_organism(loaded):
    by_id = {row["measurement_id"]: row for row in loaded.rows("measurement")}
    pressures = [row for row in by_id.values() if row["measurement_source_value"] in ("8480-6", "8462-4")]
    panels = Counter(by_id[row["measurement_event_id"]]["measurement_source_value"] for row in pressures)
    assert panels == {"85354-9": 2_394}
    assert all(row["person_id"] == by_id[row["measurement_event_id"]]["person_id"] for row in pressures)
    tested = [row for row in by_id.values() if row["value_source_value"] in ("S", "I", "R", "IND")]
    assert {by_id[row["measurement_event_id"]]["person_id"] == row["person_id"] for row in tested} == {True}


def test_no_number_of_a_patient_or_a_stay_leaves_the_crosswalk(loaded, files):
    numbers = {p["subject_id"] for p in rows_of(files, "hosp/patients")}
    numbers |= {a["hadm_id"] for a in rows_of(files, "hosp/admissions")}
    numbers |= {i["stay_id"] for i in rows_of(files, "icu/icustays")}
    assert not numbers & set(re.findall(r"\b[0-9]{8}\b", loaded.texts()))
