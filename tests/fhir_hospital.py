"""A FHIR server small enough to read: a patient, a letter, their declaration and mappings."""

from typing import Any

SOURCE = """
name: tiny_fhir
label: A server small enough to read
kind: fhir_r4
timezone: Europe/Paris
cdm_source: {cdm_source_name: Tiny server, cdm_source_abbreviation: TINY, cdm_holder: tests, source_release_date: 2025-01-01}
fhir: {version: 4.0.1, bundles: [transaction]}
tables:
  patient:
    resource: Patient
    key: [id]
    delete_rule: {kind: absence}
    identity_columns: {id: person}
    crosswalk: [family]
    columns: {id: string, family: {path: name.first().family}, gender: string, birthDate: date}
  note:
    resource: DocumentReference
    key: [id]
    delete_rule: {kind: absence}
    identity_columns: {subject: person}
    free_text: [description]
    columns: {id: string, subject: {path: subject.getReferenceKey(Patient)}, date: timestamp, description: string}
mappings:
  note: {type: EHR note}
"""  # noqa: E501
MAPPINGS = {
    "person": """
        SELECT id AS _key, year(birthDate) AS year_of_birth, upper(substring(gender, 1, 1)) AS gender_code,
            'Gender' AS gender_vocabulary
        FROM bronze.patient
    """,
    "note": """
        SELECT id AS _key, subject AS person_key, date AS note_datetime, description AS note_text,
            'Compte rendu' AS note_title
        FROM bronze.note
    """,
}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1943-02-11",
    "name": [{"family": "Zurbriggen"}],
}  # fmt: skip
NOTE: dict[str, Any] = {
    "resourceType": "DocumentReference", "id": "n1", "subject": {"reference": "Patient/p1"},
    "date": "2024-04-02T11:00:00+02:00", "description": "Madame Zurbriggen va bien.",
}  # fmt: skip
