"""The tables of the French national socle, from a real PostgreSQL to OMOP: eleven fictitious patients, known by heart.

The rows are read from the shared folder and loaded into the tables of ``schema.sql``.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etl.compiler import compile_source
from etl.declaration import SOURCES
from etl.demo.server import demo_server
from omop.delta_read import dataset
from omop.lake import Lake
from tests.etl.sources import Loaded, load

FOLDER = SOURCES / "aphp_socle"
# In the order of their foreign keys.
TABLES = (
    "patient", "patient_adresse", "donnees_pmsi", "diagnostics", "actes", "biologie", "dossier_soins", "prescription",
    "posologie", "administration", "style_vie",
)  # fmt: skip
# Source table → (read, mapped, merged, excluded). Nothing is routed or quarantined with this vocabulary.
LEDGER = {
    "patient": (11, 11, 0, 0), "patient_adresse": (11, 10, 0, 1), "donnees_pmsi": (10, 10, 0, 0),
    "diagnostics": (20, 20, 0, 0), "actes": (13, 13, 0, 0), "biologie": (15, 15, 0, 0), "dossier_soins": (15, 15, 0, 0),
    "prescription": (9, 9, 0, 0), "posologie": (9, 0, 9, 0), "administration": (12, 12, 0, 0),
    "style_vie": (10, 10, 0, 0),
}  # fmt: skip
ROWS = {
    "person": 11, "death": 3, "visit_occurrence": 10, "location": 10, "care_site": 9, "condition_occurrence": 20,
    "procedure_occurrence": 13, "measurement": 30, "drug_exposure": 21, "fact_relationship": 11, "observation": 40,
}  # fmt: skip
# Patients by their year of birth.
JEANNE, MARIE, PETIT, JEAN, LUCAS, MICHEL = 1959, 1975, 1990, 1967, 1995, 1945
ORDER, GIVEN = 32838, 32818


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, list[dict[str, str]]]:
    read = {}
    for table in TABLES:
        with (shared_data / "aphp-socle-demo" / f"{table}.csv").open(newline="", encoding="utf-8") as file:
            read[table] = list(csv.DictReader(file))
    return read


@pytest.fixture(scope="module")
def dsn(rows: dict[str, list[dict[str, str]]], open_folder: Path) -> Iterator[str]:
    with demo_server(open_folder / "data") as url:
        with psycopg.connect(url) as connection:
            connection.execute((FOLDER / "schema.sql").read_text(encoding="utf-8"))
            for table, lines in rows.items():
                columns = list(lines[0])
                query = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
                with connection.cursor().copy(query) as copy:
                    for line in lines:
                        copy.write_row([line[column] or None for column in columns])
        yield url


@pytest.fixture(scope="module")
def socle(dsn: str, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("aphp_socle", dsn, tmp_path_factory.mktemp("socle") / "W", shared_data)


@pytest.fixture(scope="module")
def patients(socle: Loaded) -> dict[int, int]:
    """Year of birth → person; two share 1985, and neither is asked for."""
    return {row["year_of_birth"]: row["person_id"] for row in socle.rows("person")}


def of(socle: Loaded, patients: dict[int, int], year: int, table: str, **where: Any) -> list[dict[str, Any]]:
    return socle.rows(table, person_id=patients[year], **where)


def test_every_row_has_the_fate_that_was_counted(socle, capsys):
    ledger = socle.ledger(capsys)
    outcomes = ("read", "mapped", "merged", "excluded")
    assert {name: tuple(entry[o] for o in outcomes) for name, entry in ledger.items()} == LEDGER
    assert sum(entry["quarantined"] + entry["routed"] for entry in ledger.values()) == 0
    assert ledger["patient_adresse"]["rules"] == {"excluded": {"address_without_place": 1}}
    assert {name: len(socle.rows(name)) for name in ROWS} == ROWS


def test_deaths_come_from_the_registry_the_certificate_and_the_exit_mode(socle, patients):
    """Three of three; the woman who left by mode 9 has no date of death anywhere: the end of her stay is hers."""
    deaths = {row["person_id"]: (row["death_date"], row["death_type_concept_id"]) for row in socle.rows("death")}
    assert deaths == {
        patients[JEANNE]: (date(2025, 8, 31), 32879),  # registry: nine days after she went home
        patients[JEAN]: (date(2025, 8, 29), 32815),  # certificate: the last day of his stay
        patients[MARIE]: (date(2025, 8, 27), 32827),  # exit mode only
    }


def test_a_sex_that_is_neither_is_concept_zero_and_stays_as_written(socle, patients):
    sexes = {
        row["year_of_birth"]: (row["gender_concept_id"], row["gender_source_value"]) for row in socle.rows("person")
    }
    assert (sexes[JEANNE], sexes[JEAN], sexes[PETIT]) == ((8532, "f"), (8507, "h"), (0, "x"))
    assert not of(socle, patients, PETIT, "visit_occurrence")


def test_the_date_of_birth_wins_over_an_age_that_is_a_year_wrong(socle):
    assert sorted(row["year_of_birth"] for row in socle.rows("person")) == [
        1945, 1959, 1967, 1975, 1980, 1985, 1985, 1990, 1992, 1995, 2003,
    ]  # fmt: skip


def test_a_stay_has_days_modes_and_a_unit(socle, patients):
    (stay,) = of(socle, patients, LUCAS, "visit_occurrence")
    assert (stay["visit_start_date"], stay["visit_end_date"]) == (date(2025, 8, 18), date(2025, 8, 19))
    assert stay["visit_start_datetime"] is None  # the socle has no time
    assert stay["admitted_from_source_value"] == "7 - Mutation d'une unite de l'etablissement"
    assert (stay["admitted_from_concept_id"], stay["discharged_to_concept_id"]) == (8717, 581476)
    unit = socle.only("care_site", care_site_id=stay["care_site_id"])
    assert unit["care_site_name"] == "CHU Nantes | Chirurgie orthopedique | Bloc operatoire"
    (home,) = of(socle, patients, JEANNE, "visit_occurrence")
    assert home["care_site_id"] is None


def test_diagnoses_keep_their_code_with_its_dot_and_their_rank(socle, patients):
    found = of(socle, patients, MICHEL, "condition_occurrence")
    assert {(row["condition_source_value"], row["condition_status_source_value"]) for row in found} == {
        ("F03", "DP"), ("Z74.1", "DAS"), ("R26.8", "DAD"),
    }  # fmt: skip
    dementia = next(row for row in found if row["condition_source_value"] == "F03")
    assert (dementia["condition_concept_id"], dementia["condition_status_concept_id"]) == (4182210, 32902)
    fall = next(row for row in found if row["condition_source_value"] == "R26.8")
    assert (fall["condition_start_date"], fall["condition_status_concept_id"]) == (date(2025, 8, 3), 0)


def test_an_order_is_not_an_administration(socle, patients):
    """Morphine, 10 mg four times a day, given twice on the first day."""
    (order,) = of(socle, patients, JEAN, "drug_exposure", drug_type_concept_id=ORDER)
    given = of(socle, patients, JEAN, "drug_exposure", drug_type_concept_id=GIVEN)
    assert (order["drug_concept_id"], order["drug_source_value"]) == (1110410, "N02AA01")
    assert (order["quantity"], order["dose_unit_source_value"], order["sig"]) == (10, "mg", "4/24h 10 mg Morphine")
    assert order["route_concept_id"] == 4142048  # EDQM 20066000, subcutaneous
    assert {row["drug_exposure_start_datetime"].hour for row in given} == {6, 12}
    relations = socle.rows("fact_relationship", fact_id_2=order["drug_exposure_id"])
    assert {row["fact_id_1"] for row in relations} == {row["drug_exposure_id"] for row in given}
    assert {(row["domain_concept_id_1"], row["domain_concept_id_2"]) for row in relations} == {(13, 13)}


def test_an_administration_without_an_order_is_kept_and_points_to_none(socle):
    given = socle.rows("drug_exposure", drug_type_concept_id=GIVEN)
    tied = {row["fact_id_1"] for row in socle.rows("fact_relationship")}
    (alone,) = [row for row in given if row["drug_exposure_id"] not in tied]
    assert (alone["drug_source_value"], alone["quantity"]) == ("N02BE01", 500)
    assert alone["visit_occurrence_id"] is not None  # 22:00 UTC is midnight in Paris, the last day of the stay


def test_a_provider_leads_back_to_the_first_of_the_rows_that_name_him(socle, rows):
    """A choice that the engine may make otherwise tomorrow would be a change that nobody made."""
    acting, prescribing, caring = (
        {line[column] for line in rows[table] if line[column]}
        for table, column in (
            ("actes", "executant"),
            ("prescription", "prescripteur"),
            ("dossier_soins", "professionnel"),
        )
    )
    traced = dataset(Lake(socle.workspace).ops("provenance")).to_table().to_pylist()
    assert Counter(row["source_table"] for row in traced if row["target_table"] == "provider") == Counter({
        "actes": len(acting),
        "prescription": len(prescribing - acting),
        "dossier_soins": len(caring - prescribing - acting),
    })  # fmt: skip
    assert acting & prescribing


def test_drugs_given_after_the_only_stay_belong_to_no_stay(socle, patients):
    """Her stay was one day, 22 August; metformin was ordered and given on the 30th."""
    rows = of(socle, patients, JEANNE, "drug_exposure")
    assert len(rows) == 3 and all(row["visit_occurrence_id"] is None for row in rows)
    assert {row["drug_concept_id"] for row in rows} == {1503297}
    (inside,) = of(socle, patients, MICHEL, "drug_exposure", drug_type_concept_id=GIVEN)
    assert inside["visit_occurrence_id"] is not None


# LOINC as written, unit → LOINC that the label and the unit ask for, its concept in this copy (0: not in it).
SET_RIGHT = {
    ("2160-0", "umol/L"): 0, ("2339-0", "mmol/L"): 0, ("2019-8", "mmol/L"): 3014094, ("6598-7", "mg/L"): 3020460,
}  # fmt: skip


def test_codes_that_contradict_their_unit_are_set_right_by_the_declared_rule_and_shown(socle, capsys):
    results = socle.rows("measurement", measurement_type_concept_id=32856)
    pairs = {(row["measurement_source_value"], row["unit_source_value"]): row for row in results}
    assert {pair: pairs[pair]["measurement_concept_id"] for pair in SET_RIGHT} == SET_RIGHT
    assert {("LOINC", "14682-9"), ("LOINC", "15074-8")} <= socle.gaps(capsys)
    # Never the concept of a mass for a number of moles: 110 µmol/L is no 110 mg/dL.
    assert not [row for row in results if row["measurement_concept_id"] in (3016723, 3000483, 3027946)]
    creatinine = pairs["2160-0", "umol/L"]
    assert {row["value_source_value"] for row in results} >= {"110 umol/L", "0.8 ng/mL", "2500 mUI/mL"}
    assert (creatinine["unit_concept_id"], creatinine["range_low"], creatinine["range_high"]) == (8749, 62, 106)
    untouched = pairs["1751-7", "g/L"]
    assert (untouched["measurement_concept_id"], untouched["unit_concept_id"]) == (3024561, 8636)


def test_a_fever_is_measured_in_the_stay_by_the_nurse(socle, patients):
    (fever,) = of(socle, patients, JEAN, "measurement", measurement_source_value="8310-5")
    assert (fever["value_as_number"], fever["unit_concept_id"]) == (38.5, 586323)
    assert fever["measurement_datetime"] == datetime(2025, 8, 22, 10, tzinfo=UTC)
    assert fever["provider_id"] in {row["provider_id"] for row in socle.rows("provider")}
    assert fever["visit_occurrence_id"] is not None


def test_ways_of_life_keep_their_words(socle, patients):
    answers = {
        row["observation_source_value"]: row["value_as_string"] for row in of(socle, patients, MARIE, "observation")
    }
    assert answers == {
        "tabac": "Fumeur actif 1 paquet/jour", "alcool": "Quotidien", "autres_drogues": "Non",
        "activite_physique": "Sedentaire",
    }  # fmt: skip


def test_a_home_is_an_iris_and_no_point(socle, patients):
    places = socle.rows("location")
    assert all(row["latitude"] is None and row["longitude"] is None for row in places)
    (jeanne,) = [row for row in socle.rows("person") if row["person_id"] == patients[JEANNE]]
    assert socle.only("location", location_id=jeanne["location_id"])["location_source_value"] == "010040102"
    (petit,) = [row for row in socle.rows("person") if row["person_id"] == patients[PETIT]]
    assert petit["location_id"] is None


def test_no_number_name_or_coordinate_leaves_the_crosswalk(socle, rows):
    names = {line[c] for line in rows["patient"] for c in ("nom", "prenom", "nir", "ins")}
    signed = (("actes", "executant"), ("prescription", "prescripteur"), ("dossier_soins", "professionnel"))
    staff = {line[column] for table, column in signed for line in rows[table]}
    points = {line[c] for line in rows["patient_adresse"] for c in ("latitude", "longitude")}
    texts = socle.texts()
    assert "glucophage" in texts  # the search sees what may stand there
    # 'Petit' or 'Martin' may stand inside another word: whole words only.
    words = set(texts.replace("|", " ").split())
    assert not {value.lower() for value in names | points if value} & words
    assert [name for name in staff if name and name.lower() in texts] == []


def test_the_declaration_names_every_column_of_the_schema(dsn):
    source = compile_source(FOLDER).source
    with psycopg.connect(dsn) as connection:
        found: dict[str, set[str]] = {}
        for table, column in connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            found.setdefault(table, set()).add(column)
    assert found == {name: set(table.columns) for name, table in source.tables.items()}
