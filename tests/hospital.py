# ruff: noqa: E501
"""A hospital small enough to read: four tables, their declaration, their mappings. Times are Paris time."""

import csv
import gzip
from pathlib import Path

SOURCE = """
name: tiny
label: A hospital small enough to read
kind: files
timezone: Europe/Paris
cdm_source: {cdm_source_name: Tiny hospital, cdm_source_abbreviation: TINY, cdm_holder: tests, source_release_date: 2025-01-01}
tables:
  patient:
    path: patient.csv
    key: [ipp]
    delete_rule: {kind: absence}
    identity_columns: {ipp: person}
    crosswalk: [nom, telephone]
    columns: {ipp: string, nom: string, telephone: string, sexe: string, naissance: date, deces: date}
  sejour:
    path: sejour.csv
    key: [iep]
    delete_rule: {kind: absence}
    identity_columns: {iep: stay, ipp: person}
    columns: {iep: string, ipp: string, entree: timestamp, sortie: timestamp}
    required: [entree]
  diagnostic:
    path: diagnostic.csv
    key: [iep, code]
    delete_rule: {kind: absence}
    identity_columns: {iep: stay}
    columns: {iep: string, code: string}
  analyse:
    path: analyse.csv.gz
    key: [resultat]
    delete_rule: {kind: absence}
    identity_columns: {ipp: person, iep: stay}
    columns: {resultat: bigint, ipp: string, iep: string, code: string, valeur: string, unite: string, preleve: timestamp}
    required: [preleve]
  lettre:
    path: lettre.csv
    key: [id]
    delete_rule: {kind: absence}
    identity_columns: {ipp: person, iep: stay}
    free_text: [texte]
    columns: {id: string, ipp: string, iep: string, ecrite: timestamp, texte: string}
vocabularies:
  CIM10: {normalise: [trim, no_dot], vocabulary_id: ICD10, parents: true}
mappings:
  visit_occurrence: {type: EHR encounter record}
  measurement: {type: Lab, one_to_many: pick_one}
  note: {type: EHR note}
"""

MAPPINGS = {
    "person": """
        WITH patient AS (SELECT ipp, sexe, naissance FROM bronze.patient)
        SELECT patient.ipp AS _key, year(patient.naissance) AS year_of_birth, patient.sexe AS gender_code,
            'Gender' AS gender_vocabulary FROM patient
    """,
    "death": """
        WITH patient AS (SELECT ipp, deces FROM bronze.patient)
        SELECT patient.ipp AS person_key, patient.deces AS death_date FROM patient WHERE patient.deces IS NOT NULL
    """,
    "visit_occurrence": """
        WITH sejour AS (SELECT iep, ipp, entree, sortie FROM bronze.sejour)
        SELECT sejour.iep AS _key, sejour.ipp AS person_key, sejour.entree AS visit_start_datetime,
            coalesce(sejour.sortie, sejour.entree) AS visit_end_datetime, 'IP' AS visit_code, 'Visit' AS visit_vocabulary
        FROM sejour
    """,
    "condition_occurrence": """
        WITH diagnostic AS (SELECT iep, code FROM bronze.diagnostic),
        sejour AS (SELECT iep, ipp, entree FROM bronze.sejour)
        SELECT sejour.ipp AS person_key, diagnostic.iep AS visit_key, sejour.entree AS condition_start_datetime,
            diagnostic.code AS condition_code, 'CIM10' AS condition_vocabulary,
            CASE WHEN sejour.iep IS NULL THEN 'no such stay' END AS _quarantine
        FROM diagnostic LEFT JOIN sejour ON sejour.iep = diagnostic.iep
    """,
    "measurement": """
        WITH analyse AS (SELECT resultat, ipp, iep, code, valeur, unite, preleve FROM bronze.analyse)
        SELECT analyse.ipp AS person_key, analyse.iep AS visit_key, analyse.preleve AS measurement_datetime,
            analyse.code AS measurement_code, 'LOCAL' AS measurement_vocabulary,
            analyse.unite AS unit_code, 'UCUM' AS unit_vocabulary,
            try_cast(replace(analyse.valeur, ',', '.') AS double) AS value_as_number, analyse.valeur AS value_source_value,
            CASE WHEN analyse.valeur = 'annulé' THEN 'cancelled_by_laboratory' END AS _exclude
        FROM analyse
    """,
    "note": """
        WITH lettre AS (SELECT ipp, iep, ecrite, texte FROM bronze.lettre)
        SELECT lettre.ipp AS person_key, lettre.iep AS visit_key, lettre.ecrite AS note_datetime, lettre.texte AS note_text,
            'Compte rendu' AS note_title FROM lettre
    """,
}

# fmt: off
ROWS: dict[str, list[list[str]]] = {
    "patient.csv": [
        ["ipp", "nom", "telephone", "sexe", "naissance", "deces"],
        ["8001", "ZURBRIGGEN", "06 12 34 56 78", "F", "1943-02-11", ""],
        ["8002", "ABERNATHY", "06 98 76 54 32", "M", "1960-07-30", "2024-04-02"],
    ],
    "sejour.csv": [
        ["iep", "ipp", "entree", "sortie"],
        ["77001", "8001", "2024-03-31 00:30:00", "2024-04-02 10:00:00"],   # 23:30 UTC the day before
        ["77002", "8002", "2024-03-31 04:00:00", "2024-04-02 18:00:00"],   # summer time began at 02:00
    ],
    "diagnostic.csv": [
        ["iep", "code"],
        ["77001", "E11.9"], ["77001", "I50.1"], ["77002", "Z99.9"], ["99999", "I10"],
    ],
    "analyse.csv.gz": [
        ["resultat", "ipp", "iep", "code", "valeur", "unite", "preleve"],
        ["1", "8001", "77001", "CREA", "245", "umol/L", "2024-03-31 06:00:00"],
        ["2", "8001", "", "K", "4,2", "mmol/L", "2024-01-15 08:00:00"],
        ["3", "8002", "77002", "CREA", "annulé", "", "2024-04-01 06:00:00"],
        ["4", "8009", "77002", "CREA", "80", "umol/L", "2024-04-01 06:00:00"],
    ],
    "lettre.csv": [
        ["id", "ipp", "iep", "ecrite", "texte"],
        ["L1", "8001", "77001", "2024-04-02 11:00:00",
         "Madame Zurbriggen (IPP 8001), née le 11/02/1943, jointe au 06.12.34.56.78 : insuffisance rénale."],
    ],
}
# fmt: on


def write_source(folder: Path, mappings: dict[str, str] | None = None, source: str = SOURCE) -> Path:
    """The declaration of the tiny hospital in a folder; gives it back."""
    (folder / "mapping").mkdir(parents=True, exist_ok=True)
    (folder / "source.yaml").write_text(source)
    for name, text in (mappings or MAPPINGS).items():
        (folder / "mapping" / f"{name}.sql").write_text(text)
    return folder


def write_feed(folder: Path, rows: dict[str, list[list[str]]] | None = None) -> Path:
    """Its files in a folder; gives it back."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (rows or ROWS).items():
        opener = gzip.open if name.endswith(".gz") else open
        with opener(folder / name, "wt", newline="", encoding="utf-8") as file:  # type: ignore[operator]
            csv.writer(file).writerows(lines)
    return folder
