"""The OMOP Common Data Model 5.4 and our extensions, read from declarations (``omop/cdm/*.csv``).

Everything that must agree with the CDM (DDL, writer, compiler, quality) asks this module; nothing repeats a column.

Types are the engine's: ``bigint`` for every integer identifier (int4 overflowed at several sites), ``int`` for plain
integers (years, counts, days), ``double``, ``string``, ``date``, ``timestamp`` (an instant, UTC).
"""

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from passerelle.errors import ContractError

CDM_VERSION = "5.4"
FOLDER = Path(__file__).parent / "cdm"
SPECIFICATION = FOLDER / "OMOP_CDMv5.4_Field_Level.csv"
TABLE_LEVEL = FOLDER / "OMOP_CDMv5.4_Table_Level.csv"
EXTENSIONS = FOLDER / "extensions.csv"

# Tables addressed by their natural key from other mappings.
ENTITY_TABLES = (
    "location",
    "care_site",
    "provider",
    "person",
    "visit_occurrence",
    "visit_detail",
    "payer_plan_period",
    "note",
    "episode",
    "image_occurrence",
)

# Without person_id, and yet each row is about one person: it lies in the bucket of that person.
PERSONAL_TABLES = ("note_nlp", "cost", "episode_event", "fact_relationship")

# How columns were named in CDM 5.3 → how they are named now; one column is no prefix of a family.
NAMES_OF_5_3 = {
    "admitting_source_value": "admitted_from_source_value",
    "admitting_source": "admitted_from",
    "discharge_to": "discharged_to",
    "visit_detail_parent": "parent_visit_detail",
}

# Tables between which a row is routed by the domain of its resolved concept.
DOMAIN_TABLE = {
    "Condition": "condition_occurrence",
    "Procedure": "procedure_occurrence",
    "Drug": "drug_exposure",
    "Device": "device_exposure",
    "Measurement": "measurement",
    "Observation": "observation",
    "Specimen": "specimen",
}
EVENT_TABLES = tuple(DOMAIN_TABLE.values())


class EventTarget(NamedTuple):
    """How the CDM says which table an event id points to."""

    field: int  # concept of the table's key column (vocabulary CDM), for *_event_field_concept_id
    domain: str  # for cost.cost_domain_id
    domain_concept: int  # for fact_relationship.domain_concept_id_*


EVENT_TARGETS = {
    "condition_occurrence": EventTarget(1147127, "Condition", 19),
    "procedure_occurrence": EventTarget(1147082, "Procedure", 10),
    "drug_exposure": EventTarget(1147094, "Drug", 13),
    "device_exposure": EventTarget(1147115, "Device", 17),
    "measurement": EventTarget(1147138, "Measurement", 21),
    "observation": EventTarget(1147165, "Observation", 27),
    "specimen": EventTarget(1147049, "Specimen", 36),
    "note": EventTarget(1147156, "Note", 5085),
    "visit_occurrence": EventTarget(1147070, "Visit", 8),
    "visit_detail": EventTarget(1147624, "Visit", 8),
    "person": EventTarget(1147026, "Person", 56),
}


class EventLink(NamedTuple):
    """A pair of columns that points to a row of any table of `EVENT_TARGETS`."""

    column: str  # the id
    says: str | None  # the column that says which table it is; None: it can be one table only
    words: str  # in which words it says so: a field of EventTarget; the table itself when it can be one only


_FIELD = "field"
EVENT_LINKS: dict[str, tuple[EventLink, ...]] = {
    "measurement": (EventLink("measurement_event_id", "meas_event_field_concept_id", _FIELD),),
    "observation": (EventLink("observation_event_id", "obs_event_field_concept_id", _FIELD),),
    "note": (EventLink("note_event_id", "note_event_field_concept_id", _FIELD),),
    "episode_event": (EventLink("event_id", "episode_event_field_concept_id", _FIELD),),
    "image_feature": (EventLink("image_feature_event_id", "image_feature_event_field_concept_id", _FIELD),),
    "image_occurrence": (EventLink("procedure_occurrence_id", None, "procedure_occurrence"),),
    "cost": (EventLink("cost_event_id", "cost_domain_id", "domain"),),
    "fact_relationship": (
        EventLink("fact_id_1", "domain_concept_id_1", "domain_concept"),
        EventLink("fact_id_2", "domain_concept_id_2", "domain_concept"),
    ),
}

# Standard type concepts (vocabulary "Type Concept"); in the code so that a thin vocabulary cannot lose them.
TYPE_CONCEPTS = {
    "EHR": 32817,
    "EHR administration record": 32818,
    "EHR dispensing record": 32825,
    "EHR encounter record": 32827,
    "EHR note": 32831,
    "EHR order": 32833,
    "EHR prescription": 32838,
    "EHR problem list": 32840,
    "Lab": 32856,
    "NLP": 32858,
    "Patient self-report": 32865,
    "Standard algorithm": 32880,
    "Standard algorithm from EHR": 32882,
    "Cost record": 32814,
    "Death certificate": 32815,
    "Registry": 32879,
}

_IDENTIFIER = re.compile(r"_id(_[12])?$")  # fact_id_1 and concept_id_2 are identifiers too
_TYPES = {"float": "double", "date": "date", "datetime": "timestamp"}


@dataclass(frozen=True)
class Column:
    """One column of a CDM table."""

    name: str
    type: str  # bigint, int, double, string, date, timestamp
    required: bool
    primary_key: bool
    references: tuple[str, str] | None  # (table, column)
    domain: str | None  # domain(s) that a concept of this column must have: "Procedure, Regimen"
    max_length: int | None = None  # characters, of a string; None: no limit


@dataclass(frozen=True)
class Table:
    """One table of the CDM, columns in CDM order."""

    name: str
    columns: tuple[Column, ...]
    primary_key: str | None  # None: the CDM declares none (death, fact_relationship, concept_ancestor…)
    person_column: bool  # it has person_id, so it is partitioned by person bucket
    schema: str = "CDM"  # CDM, VOCAB, RESULTS
    extension: bool = False  # ours beside CDM 5.4

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in CDM order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """One column.

        Raises: ContractError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(
            f"{self.name} has no column {name}",
            looked=f"CDM {CDM_VERSION}: {', '.join(self.column_names)}",
            do="use a column of the CDM",
        )


@dataclass(frozen=True)
class EventRoles:
    """Which column of an event table plays which part; None where the table has none."""

    table: str
    concept: str
    source_concept: str | None
    source_value: str
    start_date: str
    start_datetime: str
    end_date: str | None
    end_datetime: str | None
    type_concept: str


@lru_cache(maxsize=1)
def cdm_tables() -> dict[str, Table]:
    """The 39 tables of CDM 5.4, then our extensions, in the order of their declarations."""
    schemas = {row["cdmTableName"]: row["schema"] for row in _rows(TABLE_LEVEL)}
    tables = {}
    for path, extension in ((SPECIFICATION, False), (EXTENSIONS, True)):
        for name, rows in groupby(_rows(path), key=lambda row: row["cdmTableName"]):
            tables[name] = _table(name, list(rows), schemas.get(name, "CDM"), extension)
    return tables


def table(name: str) -> Table:
    """One table by name.

    Raises: ContractError: the CDM has no such table.
    """
    try:
        return cdm_tables()[name]
    except KeyError:
        known = ", ".join(cdm_tables())
        raise ContractError(
            f"the CDM has no table {name}", looked=f"CDM {CDM_VERSION} and extensions: {known}", do="correct the name"
        ) from None


@lru_cache(maxsize=len(EVENT_TABLES))
def event_roles(name: str) -> EventRoles:
    """The columns that routing by domain carries from one event table to another.

    Raises: ContractError: the table is not an event table.
    """
    if name not in EVENT_TABLES:
        raise ContractError(f"{name} is not an event table", looked=", ".join(EVENT_TABLES), do="correct the name")
    names = set(table(name).column_names)
    prefix = name.removesuffix("_occurrence").removesuffix("_exposure")
    # drug_concept_id but drug_exposure_start_date: the CDM keeps "exposure" in dates only.
    stem = name if name.endswith("_exposure") else prefix
    start = f"{stem}_start" if f"{stem}_start_date" in names else stem

    def present(column: str) -> str | None:
        return column if column in names else None

    return EventRoles(
        table=name,
        concept=f"{prefix}_concept_id",
        source_concept=present(f"{prefix}_source_concept_id"),
        source_value=f"{prefix}_source_value",
        start_date=f"{start}_date",
        start_datetime=f"{start}_datetime",
        end_date=present(f"{stem}_end_date"),
        end_datetime=present(f"{stem}_end_datetime"),
        type_concept=f"{prefix}_type_concept_id",
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _table(name: str, rows: list[dict[str, str]], schema: str, extension: bool) -> Table:
    columns = tuple(_column(row) for row in rows)
    keys = [column.name for column in columns if column.primary_key]
    has_person = any(column.name == "person_id" for column in columns)
    return Table(name, columns, keys[0] if keys else None, has_person, schema, extension)


def _column(row: dict[str, str]) -> Column:
    name = row["cdmFieldName"].strip('"').lower()  # the specification quotes "offset", a word of SQL
    kind, max_length = _type(name, row["cdmDatatype"].lower())  # the specification writes "Integer" once
    references = (row["fkTableName"].lower(), row["fkFieldName"].lower()) if row["isForeignKey"] == "Yes" else None
    domain = None if row["fkDomain"] in ("NA", "") else row["fkDomain"]
    return Column(name, kind, row["isRequired"] == "Yes", row["isPrimaryKey"] == "Yes", references, domain, max_length)


def _type(name: str, datatype: str) -> tuple[str, int | None]:
    if datatype in ("integer", "bigint"):
        return ("bigint" if _IDENTIFIER.search(name) else "int"), None
    if datatype.startswith("varchar"):
        length = datatype[len("varchar(") : -1]
        return "string", None if length == "max" else int(length)
    return _TYPES[datatype], None
