"""Which CDM table a source table probably fills."""

from etl.scaffold import patterns
from etl.scaffold.infer import Person, Rest, Stay, Table
from etl.scaffold.shapes import any_word


def kind_of(table: Table) -> str | None:
    """The CDM table, by what the columns are; None when nothing tells.

    The order is from the surest sign to the weakest.
    """
    if table.people:
        return "person"
    if table.cdm:
        return table.cdm
    owned = table.of_identity(Person) or table.of_identity(Stay)
    if owned is None:
        if len(table.key) == 1 and table.column(table.key[0]).identity == Rest:
            return "provider"
        return "care_site" if _is_ward(table) else None
    dated = any(column.type in ("date", "timestamp") for column in table.columns)
    by_sign = {
        "note": any(column.free_text for column in table.columns) and dated and not _has_codes(table),
        "condition_occurrence": table.with_code("CIM10") is not None,
        "procedure_occurrence": table.with_code("CCAM") is not None,
        "drug_exposure": table.with_code(*patterns.DRUG_CODES) is not None and dated,
        "measurement": _is_measurement(table) and dated,
        "visit_detail": table.of_identity(Person) is not None and _is_move(table),
    }
    return next((kind for kind, found in by_sign.items() if found), None)


def is_administration(table: Table) -> bool:
    """Whether a table of drugs says what was given, not what was ordered."""
    return any_word(table.name, patterns.ADMINISTRATION)


def is_laboratory(table: Table) -> bool:
    """Whether a table of results comes from the laboratory."""
    names = " ".join([table.name, *(column.name for column in table.columns)])
    return any_word(names, patterns.LABORATORY) or table.with_code("NABM") is not None


def _has_codes(table: Table) -> bool:
    return any(column.vocabulary for column in table.columns)


def _is_measurement(table: Table) -> bool:
    value = table.named(patterns.VALUE)
    return (
        value is not None and (table.with_code(*patterns.MEASURE_CODES) or table.named(patterns.ANALYSIS)) is not None
    )


def _is_move(table: Table) -> bool:
    return all(
        (table.named(patterns.WARD), *(table.named(w, "date", "timestamp") for w in (patterns.START, patterns.END)))
    )


def _is_ward(table: Table) -> bool:
    """A dictionary of wards: its key is a ward, and it has a label."""
    return (
        len(table.key) == 1 and any_word(table.key[0], patterns.WARD) and table.named(patterns.LABEL_WORDS) is not None
    )
