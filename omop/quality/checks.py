"""Which checks exist, read from the files of the OHDSI Data Quality Dashboard (see NOTICE.md): 2,535 instances."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from omop.cdm import Table, cdm_tables
from omop.cdm import table as cdm_table

FOLDER = Path(__file__).parent
FATAL, CONVENTION, CHARACTERIZATION = "fatal", "convention", "characterization"
CONCEPT = "concept"

# A check of the field file is enabled by a cell that is not empty, "No" or "NA"; its value is the check's argument.
FIELD_CHECKS = (
    "isRequired",
    "cdmDatatype",
    "isPrimaryKey",
    "isForeignKey",
    "fkDomain",
    "fkClass",
    "isStandardValidConcept",
    "measureValueCompleteness",
    "standardConceptRecordCompleteness",
    "sourceConceptRecordCompleteness",
    "sourceValueCompleteness",
    "plausibleValueLow",
    "plausibleValueHigh",
    "plausibleTemporalAfter",
    "plausibleStartBeforeEnd",
    "plausibleAfterBirth",
    "plausibleBeforeDeath",
    "plausibleDuringLife",
    "withinVisitDates",
)
TABLE_CHECKS = ("measurePersonCompleteness", "measureConditionEraCompleteness", "measureObservationPeriodOverlap")
CONCEPT_CHECKS = ("plausibleGender", "plausibleGenderUseDescendants", "plausibleUnitConceptIds")
COMPARED = {"measureConditionEraCompleteness": ("condition_occurrence", "person_id")}
_OFF = ("", "no", "na")


@dataclass(frozen=True)
class Check:
    """One check of one table, of one column, or of one concept in a column."""

    name: str
    table: str
    field: str | None  # None: of the table
    threshold: float  # percent of rows that may break it; 0: none may
    severity: str  # fatal, convention, characterization
    argument: str = ""  # bound, domain, class, sex, accepted units
    other_table: str | None = None  # what it is compared with
    other_field: str | None = None
    concept: str | None = None  # of which concept: its id, or several with a comma between
    concept_name: str | None = None


@dataclass(frozen=True)
class CheckType:
    """What the dashboard says of a type of check."""

    name: str
    level: str  # TABLE, FIELD, CONCEPT
    description: str
    context: str  # Verification or Validation (Kahn)
    category: str  # Conformance, Completeness, Plausibility
    subcategory: str
    sql_file: str
    severity: str


@cache
def check_types() -> dict[str, CheckType]:
    """The 27 types of check, by name."""
    return {
        row["checkName"]: CheckType(
            row["checkName"],
            row["checkLevel"],
            " ".join(row["checkDescription"].split()),
            row["kahnContext"],
            row["kahnCategory"],
            row["kahnSubcategory"],
            row["sqlFile"],
            row["severity"],
        )
        for row in _rows("Check_Descriptions")
    }


@cache
def checks_of(table: str) -> tuple[Check, ...]:
    """All checks of a CDM table: its own, those of its columns in their order, those of its concepts.

    Our own tables beside the CDM (images, surroundings) are unknown to the dashboard: their declaration gives those
    that keep them whole.
    """
    if cdm_table(table).extension:
        return tuple(_of_our_own(cdm_table(table)))
    known = set(cdm_table(table).column_names)
    found = [Check("cdmTable", table, None, 0, _severity("cdmTable", table))]
    for row in _of(table, "Table_Level"):
        found += [_check(row, name, None) for name in TABLE_CHECKS if _enabled(row, name)]
    for row in _of(table, "Field_Level"):
        field = row["cdmFieldName"].lower()
        if field in known:
            found.append(Check("cdmField", table, field, 0, _severity("cdmField", table)))
            found += [_check(row, name, field) for name in FIELD_CHECKS if _enabled(row, name)]
    for row in _of(table, "Concept_Level"):
        found += [_of_concept(row, name) for name in CONCEPT_CHECKS if _enabled(row, name)]
    return tuple(found)


def every_check() -> Iterator[Check]:
    """The checks of the dashboard, of every table of the CDM."""
    return (check for table in cdm_tables().values() if not table.extension for check in checks_of(table.name))


def _of_our_own(table: Table) -> Iterator[Check]:
    def check(name: str, field: str | None = None) -> Check:
        return Check(name, table.name, field, 0, _severity(name, table.name))

    yield check("cdmTable")
    for column in table.columns:
        yield check("cdmField", column.name)
        if column.required:
            yield check("isRequired", column.name)
        if column.primary_key:
            yield check("isPrimaryKey", column.name)
        if column.references:
            yield _refers(check("isForeignKey", column.name), *column.references)


def _check(row: dict[str, str], name: str, field: str | None) -> Check:
    table = row["cdmTableName"].lower()
    check = Check(name, table, field, _percent(row, name), _severity(name, table), row[name])
    if name in COMPARED:
        other, column = COMPARED[name]
        return replace(check, other_table=other, other_field=column)
    if name == "isForeignKey":
        return _refers(check, row["fkTableName"].lower(), row["fkFieldName"].lower())
    if name == "plausibleTemporalAfter":
        other, column = row[f"{name}TableName"].lower(), row[f"{name}FieldName"].lower()
        return replace(check, other_table=other, other_field=column)
    if name == "plausibleStartBeforeEnd":
        return replace(check, other_table=table, other_field=row[f"{name}FieldName"].lower())
    if name == "sourceValueCompleteness":
        return replace(check, other_table=table, other_field=row["standardConceptFieldName"].lower())
    return check


def _refers(check: Check, other: str, column: str) -> Check:
    # A copy of the vocabulary may be a subset: what it lacks is worth knowing and stops nothing.
    severity = CONVENTION if other == CONCEPT else check.severity
    return replace(check, severity=severity, other_table=other, other_field=column)


def _of_concept(row: dict[str, str], name: str) -> Check:
    table, field = row["cdmTableName"].lower(), row["cdmFieldName"].lower()
    check = Check(name, table, field, _percent(row, name), _severity(name, table), row[name])
    return replace(check, concept=row["conceptId"].replace(" ", ""), concept_name=row["conceptName"].strip())


def _severity(name: str, table: str) -> str:
    severity = check_types()[name].severity
    # The vocabulary is an input, and any subset of it will do: a defect there is told and stops nothing.
    return CONVENTION if severity == FATAL and cdm_table(table).schema == "VOCAB" else severity


def _percent(row: dict[str, str], name: str) -> float:
    return float(row[f"{name}Threshold"] or 0)


def _enabled(row: dict[str, str], name: str) -> bool:
    if name == "cdmDatatype":
        return row[name] == "integer"  # the dashboard tests no other type, and misses the four spelt "Integer"
    return row[name].strip().lower() not in _OFF


def _of(table: str, level: str) -> Iterator[dict[str, str]]:
    return (row for row in _rows(level) if row["cdmTableName"].lower() == table)


@cache
def _rows(level: str) -> tuple[dict[str, str], ...]:
    with (FOLDER / f"OMOP_CDMv5.4_{level}.csv").open(encoding="utf-8-sig", newline="") as file:
        return tuple(csv.DictReader(file))
