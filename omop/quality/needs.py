"""What a check needs and may not be there: a table, a column, the vocabulary, the day of the run."""

from collections.abc import Iterator, Mapping
from datetime import date

from omop.quality.checks import CONCEPT, Check

Tables = Mapping[str, Mapping[str, str]]  # tables that exist → column → type, in the words of the engine

BIRTH = ("year_of_birth", "month_of_birth", "day_of_birth")
_OF_CONCEPTS = ("fkDomain", "fkClass", "isStandardValidConcept")


def missing(check: Check, tables: Tables, today: date | None) -> str | None:
    """Why a check cannot run; None when it can."""
    if check.table not in tables:
        return "the table does not exist"
    if check.field is not None and check.field not in tables[check.table]:
        return "the column does not exist"
    for table, column in _needed(check):
        if table not in tables:
            return f"there is no table {table}"
        if column not in tables[table]:
            return f"{table} has no column {column}"
    if check.name == "plausibleValueHigh" and "GETDATE" in check.argument and today is None:
        return "the day of the run is not given"
    return None


def _needed(check: Check) -> Iterator[tuple[str, str]]:
    from_birth = check.name == "plausibleAfterBirth"
    from_birth |= check.name == "plausibleTemporalAfter" and check.other_table == "person"
    if from_birth or check.name == "measurePersonCompleteness":
        yield from (("person", column) for column in ("person_id", *BIRTH))
    elif check.other_table and check.other_field:
        yield check.other_table, check.other_field
    if check.name in _OF_CONCEPTS:
        yield CONCEPT, "standard_concept"
    if check.name.startswith("plausibleGender"):
        yield from (("person", "gender_concept_id"), (check.table, "person_id"))
    if check.name == "plausibleGenderUseDescendants":
        yield "concept_ancestor", "ancestor_concept_id"
    if check.name == "plausibleUnitConceptIds":
        yield from ((check.table, "unit_concept_id"), (check.table, "value_as_number"))
    if check.name in ("plausibleBeforeDeath", "plausibleDuringLife"):
        yield "death", "death_date"
    if check.name == "withinVisitDates":
        yield "visit_occurrence", "visit_start_date"
