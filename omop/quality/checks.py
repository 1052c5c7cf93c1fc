"""Which checks exist, read from the files of the OHDSI Data Quality Dashboard (see NOTICE.md)."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from omop.cdm import table as cdm_table

FOLDER = Path(__file__).parent
FATAL, CONVENTION, CHARACTERIZATION = "fatal", "convention", "characterization"

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
TABLE_CHECKS = ("measurePersonCompleteness",)
_OFF = ("", "no", "na")


@dataclass(frozen=True)
class Check:
    """One check of one table or column."""

    name: str
    table: str
    field: str | None  # None: of the table
    threshold: float  # percent of rows that may break it; 0: none may
    severity: str  # fatal, convention, characterization
    argument: str = ""  # bound, domain, class
    other_table: str | None = None  # what it is compared with
    other_field: str | None = None


@cache
def checks_of(table: str) -> tuple[Check, ...]:
    """All checks of a CDM table, in the order of its columns."""
    severities = {row["checkName"]: row["severity"] for row in _rows("Check_Descriptions")}
    known = set(cdm_table(table).column_names)
    found = [Check("cdmTable", table, None, 0, severities["cdmTable"])]
    for row in _of(table, "Table_Level"):
        found += [_check(row, name, None, severities[name]) for name in TABLE_CHECKS if _enabled(row, name)]
    for row in _of(table, "Field_Level"):
        field = row["cdmFieldName"].lower()
        if field not in known:
            continue
        found.append(Check("cdmField", table, field, 0, severities["cdmField"]))
        found += [_check(row, name, field, severities[name]) for name in FIELD_CHECKS if _enabled(row, name)]
    return tuple(found)


def _check(row: dict[str, str], name: str, field: str | None, severity: str) -> Check:
    cell = row[f"{name}Threshold"]
    check = Check(name, row["cdmTableName"].lower(), field, float(cell) if cell else 0.0, severity, row[name])
    if name == "isForeignKey":
        other = row["fkTableName"].lower()
        # A copy of the vocabulary may be a subset: what it lacks is worth knowing and stops nothing.
        severity = CONVENTION if other == "concept" else severity
        return replace(check, severity=severity, other_table=other, other_field=row["fkFieldName"].lower())
    if name == "plausibleTemporalAfter":
        other, column = row[f"{name}TableName"].lower(), row[f"{name}FieldName"].lower()
        return replace(check, other_table=other, other_field=column)
    if name == "plausibleStartBeforeEnd":
        return replace(check, other_table=check.table, other_field=row[f"{name}FieldName"].lower())
    if name == "sourceValueCompleteness":
        return replace(check, other_table=check.table, other_field=row["standardConceptFieldName"].lower())
    return check


def _enabled(row: dict[str, str], name: str) -> bool:
    if name == "cdmDatatype":
        return row[name].lower() == "integer"  # the dashboard tests no other type
    return row[name].strip().lower() not in _OFF


def _of(table: str, level: str) -> Iterator[dict[str, str]]:
    return (row for row in _rows(level) if row["cdmTableName"].lower() == table)


@cache
def _rows(level: str) -> tuple[dict[str, str], ...]:
    with (FOLDER / f"OMOP_CDMv5.4_{level}.csv").open(encoding="utf-8-sig", newline="") as file:
        return tuple(csv.DictReader(file))
