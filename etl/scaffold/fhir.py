"""A first source of kind fhir_r4: which resources a folder holds, and the common elements of those that we map."""

from collections import Counter
from datetime import date
from pathlib import Path

from etl.readers.fhir_files import fhir_files, read_resources
from etl.scaffold.decisions import MARK

SAMPLE = 500  # resources of each file
BUNDLES = ("document", "collection", "message", "searchset", "transaction", "batch")
SYSTEMS = {
    "http://loinc.org": "LOINC", "http://snomed.info/sct": "SNOMED", "http://www.whocc.no/atc": "ATC",
    "http://hl7.org/fhir/sid/icd-10": "CIM10", "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm", "http://unitsofmeasure.org": "UCUM",
}  # fmt: skip
_CODING = {"code": "{0}.coding.byPreference().first().code", "system": "{0}.coding.byPreference().first().system",
           "display": "{0}.coding.byPreference().first().display"}  # fmt: skip
_OWNERS = {"subject": "subject.getReferenceKey(Patient)", "encounter": "encounter.getReferenceKey(Encounter)"}
_CONTEXT = _OWNERS | {"encounter": "context.getReferenceKey(Encounter)"}


def _coding(element: str) -> dict[str, str]:
    return {name: path.format(element) for name, path in _CODING.items()}


# Resource → (identity columns, columns as path or (path, type)); the id is the key.
TABLES: dict[str, tuple[dict[str, str], dict[str, str | tuple[str, str]]]] = {
    "Patient": ({"id": "person"}, {
        "gender": "gender", "birth_on": ("birthDate", "date"),
        "died_on": ("deceased.ofType(dateTime).toDate()", "date"),
    }),
    "Encounter": ({"id": "stay", "subject": "person"}, {
        "subject": _OWNERS["subject"], "class": "class.code",
        "started_at": ("period.start", "timestamp"), "ended_at": ("period.end", "timestamp"),
    }),
    "Condition": ({"subject": "person", "encounter": "stay"}, {
        **_OWNERS, **_coding("code"), "at": ("onset.ofType(dateTime)", "timestamp"),
        "recorded": ("recordedDate", "timestamp"),
    }),
    "Procedure": ({"subject": "person", "encounter": "stay"}, {
        **_OWNERS, **_coding("code"), "at": ("performed.ofType(Period).start", "timestamp"),
        "recorded": ("performed.ofType(dateTime)", "timestamp"),
    }),
    "Observation": ({"subject": "person", "encounter": "stay"}, {
        **_OWNERS, **_coding("code"), "at": ("effective.ofType(dateTime)", "timestamp"),
        "recorded": ("issued", "timestamp"), "value": ("value.ofType(Quantity).value", "double"),
        "unit": "value.ofType(Quantity).code", "text": "value.ofType(string)",
    }),
    "MedicationRequest": ({"subject": "person", "encounter": "stay"}, {
        **_OWNERS, **_coding("medication.ofType(CodeableConcept)"), "at": ("authoredOn", "timestamp"),
        "recorded": ("authoredOn", "timestamp"),
    }),
    "MedicationAdministration": ({"subject": "person", "encounter": "stay"}, {
        **_CONTEXT, **_coding("medication.ofType(CodeableConcept)"),
        "at": ("effective.ofType(Period).start", "timestamp"), "recorded": ("effective.ofType(dateTime)", "timestamp"),
    }),
}  # fmt: skip
# Resource → (mapping, stem of its date, prefix of its code, type concept, further cells).
EVENTS: dict[str, tuple[str, str, str, str, str]] = {
    "Condition": ("condition_occurrence", "condition_start", "condition", "EHR problem list", ""),
    "Procedure": ("procedure_occurrence", "procedure", "procedure", "EHR", ""),
    "Observation": ("measurement", "measurement", "measurement", "EHR",
        "    value AS value_as_number, unit AS unit_code, 'UCUM' AS unit_vocabulary,\n"
        "    coalesce(CAST(value AS string), text) AS value_source_value,\n"),
    "MedicationRequest": (
        "drug_exposure.prescription", "drug_exposure_start", "drug", "EHR prescription", ""),
    "MedicationAdministration": (
        "drug_exposure.administration", "drug_exposure_start", "drug", "EHR administration record", ""),
}  # fmt: skip


def resource_types(folder: Path) -> Counter[str]:
    """Types of the first resources of each file, with their number."""
    found = read_resources("scan", fhir_files("scan", folder), BUNDLES, SAMPLE)
    return Counter(str(f.resource.get("resourceType")) for f in found if f.resource is not None)


def fhir_source(name: str, types: Counter[str]) -> dict[str, str]:
    """Path below the source's folder → text, of everything but the README."""
    known = [kind for kind in TABLES if types[kind]]
    files = {f"mapping/{EVENTS[kind][0]}.sql": _event(kind) for kind in known if kind in EVENTS}
    concepts = {EVENTS[kind][0]: EVENTS[kind][3] for kind in known if kind in EVENTS}
    if "Patient" in known:
        files |= {"mapping/person.sql": _PERSON, "mapping/death.sql": _DEATH}
    if "Encounter" in known:
        files["mapping/visit_occurrence.sql"], concepts["visit_occurrence"] = _VISIT, "EHR encounter record"
    lines = [
        "# A first declaration of FHIR resources. Each line with DECIDE waits for a person: correct or keep it, then",
        "# remove the mark. Paths and what becomes of a resource: docs/howto/read_fhir.md.",
        f"name: {name}",
        f"label: {name}  # {MARK} the name that people know it by",
        "kind: fhir_r4",
        f"timezone: Europe/Paris  # {MARK} where the clocks stand that wrote the times without a zone",
        "cdm_source:",
        f"  cdm_source_name: {name}  # {MARK} the name in cdm_source",
        f"  cdm_source_abbreviation: {name[:25].upper()}",
        f"  cdm_holder: to be named  # {MARK} the institution that holds the data",
        f"  source_release_date: {date.today().isoformat()}  # {MARK} the day of this export",
        "fhir:",
        "  version: 4.0.1",
        f"  profiles: []  # {MARK} which profiles do the resources follow?",
        f"  bundles: [{', '.join(BUNDLES)}]  # {MARK} which types of Bundle does the site send?",
        f"# {MARK} absence: is each export complete, so that a resource that is no longer there was deleted?",
        "tables:",
    ]
    for kind in known:
        lines += _table(kind)
    unread = {kind: n for kind, n in sorted(types.items()) if kind not in known}
    lines += ["unused:" if unread else "unused: {}"]
    lines += [f'  {kind}: "no first mapping"  # {MARK} {n} seen: may they stay unread?' for kind, n in unread.items()]
    lines += ["vocabularies:", "  CIM10: {normalise: [trim, upper, no_dot], parents: true}", "mappings:"]
    lines += [f"  {mapping}: {{type: {concept}}}" for mapping, concept in sorted(concepts.items())]
    return files | {"source.yaml": "\n".join(lines) + "\n"}


def _table(kind: str) -> list[str]:
    identity, columns = TABLES[kind]
    lines = [f"  {kind.lower()}:", f"    resource: {kind}", "    key: [id]", "    delete_rule: {kind: absence}"]
    lines.append(f"    identity_columns: {{{', '.join(f'{c}: {k}' for c, k in identity.items())}}}")
    lines += ["    columns:", "      id: string"]
    for column, said in columns.items():
        path, kind_of = said if isinstance(said, tuple) else (said, "string")
        lines.append(f'      {column}: {{path: "{path}", type: {kind_of}}}')
    return lines


def _event(kind: str) -> str:
    mapping, stem, prefix, _, more = EVENTS[kind]
    table, columns = kind.lower(), ", ".join(("id", *TABLES[kind][1]))
    whens = "\n".join(f"        WHEN '{url}' THEN '{vocabulary}'" for url, vocabulary in SYSTEMS.items())
    return (
        f"-- {kind} → {mapping}. Grain: one row per {kind}.\nWITH\n-- 1. Sources\n"
        f"{table} AS (SELECT {columns} FROM bronze.{table})\n-- 2. Result\nSELECT\n"
        "    subject AS person_key, encounter AS visit_key,\n"
        f"    coalesce(at, recorded) AS {stem}_datetime,\n{more}"
        f"    code AS {prefix}_code, display AS {prefix}_label,\n"
        f"    CASE system\n{whens}\n        ELSE system END AS {prefix}_vocabulary\nFROM {table}\n"
    )


_PERSON = """-- Patient → person. Grain: one row per Patient.
WITH
-- 1. Sources
patient AS (SELECT id, gender, birth_on FROM bronze.patient)
-- 2. Result
SELECT
    id AS _key,
    CASE gender WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END AS gender_code, 'Gender' AS gender_vocabulary,
    year(birth_on) AS year_of_birth, month(birth_on) AS month_of_birth, day(birth_on) AS day_of_birth
FROM patient
"""
_DEATH = """-- Patient → death. Grain: one row per Patient who died; person.sql accounts for every row.
WITH
-- 1. Sources
patient AS (SELECT id, died_on FROM bronze.patient)
-- 2. Result
SELECT id AS person_key, died_on AS death_date FROM patient WHERE died_on IS NOT NULL
"""
_VISIT = """-- Encounter → visit_occurrence. Grain: one row per Encounter.
WITH
-- 1. Sources
encounter AS (SELECT id, subject, class, started_at, ended_at FROM bronze.encounter)
-- 2. Result
SELECT
    id AS _key, subject AS person_key,
    started_at AS visit_start_datetime, ended_at AS visit_end_datetime,
    CASE class WHEN 'IMP' THEN 'IP' WHEN 'ACUTE' THEN 'IP' WHEN 'EMER' THEN 'ER' ELSE 'OP' END AS visit_code,
    'Visit' AS visit_vocabulary
FROM encounter
"""
