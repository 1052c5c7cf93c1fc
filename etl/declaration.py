"""What a hospital declares about its source: ``etl/sources/<name>/source.yaml``."""

import re
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from etl.readers.fhir_paths import compile_path
from passerelle.errors import MappingError, UsageError

SOURCES = Path(__file__).parent / "sources"
# What our own resources bear unless the site names it otherwise (fhir_adapters.site; a test compares them).
OWN_NAMING = ("https://chu-demo.example/fhir/NamingSystem/", "https://passerelle.example/fhir/")

IdentityKind = Literal["person", "stay", "rest"]
ColumnType = Literal["string", "bigint", "double", "date", "timestamp", "boolean"]


class Frozen(BaseModel, extra="forbid", frozen=True):
    """A misspelt key is an error, not a silence."""


def _understood(path: str) -> str:
    compile_path(path)
    return path


FhirPath = Annotated[str, AfterValidator(_understood)]


class SourceKind(StrEnum):
    """How the source is read."""

    FILES = "files"
    POSTGRESQL = "postgresql"
    FHIR_R4 = "fhir_r4"


class SourceColumn(Frozen):
    """One column of the source and the type it is read as."""

    type: ColumnType = "string"
    format: str | None = Field(None, description="pattern of dates and timestamps; None: ISO 8601")
    path: FhirPath | None = Field(None, description="fhir_r4: where the value is; default: the column's name")


def _column_from_word(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class DeleteRule(Frozen):
    """How deletions arrive."""

    kind: Literal["absence", "tombstone"]
    column: str | None = Field(None, description="tombstone: the column that is filled when the row is cancelled")

    @model_validator(mode="after")
    def _tombstone_names_its_column(self) -> "DeleteRule":
        if (self.kind == "tombstone") != (self.column is not None):
            raise ValueError("a tombstone rule names its column; absence has none")
        return self


class SourceTable(Frozen):
    """One table of the source: where it is, what makes a row itself, what it holds."""

    path: str | None = Field(None, description="files: path below the input folder, .csv or .csv.gz")
    relation: str | None = Field(None, description="postgresql: relation in the schema; default: the table's name")
    key: tuple[str, ...] = Field(min_length=1, description="columns that make a row itself, as the hospital means it")
    change_column: str | None = Field(None, description="None: the whole table is read each day")
    delete_rule: DeleteRule = Field(description="no default: how deletions arrive is a decision the hospital signs")
    identity_columns: dict[str, IdentityKind] = Field(
        default_factory=dict, description="identifiers, replaced by a keyed hash at the door"
    )
    crosswalk: tuple[str, ...] = Field((), description="direct identifiers kept for the encrypted crosswalk only")
    free_text: tuple[str, ...] = Field((), description="text that may name people: pseudonymised at the door")
    free_text_dates: Literal["keep", "shift"] = Field(
        "keep", description="shift: dates in free text move by a number of days that is each person's own"
    )
    belongs_to: dict[str, str] = Field(
        default_factory=dict,
        description="column → table whose key it holds: the way to the person where a row names neither him nor a stay",
    )
    role: Literal["events", "reference"] = Field(
        "events", description="events: every row is accounted for; reference: read for joins only"
    )
    columns: dict[
        str,
        Annotated[SourceColumn, BeforeValidator(_column_from_word, json_schema_input_type=ColumnType | SourceColumn)],
    ] = Field(min_length=1)
    required: tuple[str, ...] = Field(
        (), description="a bad value there quarantines the row; elsewhere it becomes null"
    )
    optional: bool = Field(False, description="the file may be absent: the table is then empty")
    resource: str | None = Field(None, description="fhir_r4: type of the resources that are its rows, as Observation")
    where: tuple[FhirPath, ...] = Field((), description="fhir_r4: criteria that a resource meets to be a row")
    for_each: FhirPath | None = Field(
        None, description="fhir_r4: a row for each element there, none where there is none"
    )
    for_each_or_null: FhirPath | None = Field(None, description="the same, but a row even where there is none")

    @property
    def knows_people(self) -> bool:
        """Whether its rows bring identifiers into the crosswalk."""
        return bool(self.crosswalk) or any(column in self.key for column in self.identity_columns)

    @model_validator(mode="after")
    def _names_declared_columns(self) -> "SourceTable":
        named = {*self.key, *self.identity_columns, *self.crosswalk, *self.free_text, *self.required, *self.belongs_to}
        named |= {name for name in (self.change_column, self.delete_rule.column) if name}
        if unknown := sorted(named - set(self.columns)):
            raise ValueError(f"names columns that are not declared under `columns`: {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _shifted_dates_have_a_person(self) -> "SourceTable":
        if self.free_text_dates == "shift" and not (self.free_text and self.person_column):
            raise ValueError("free_text_dates: shift needs free_text, and a column that is the identity of a person")
        return self

    @property
    def person_column(self) -> str | None:
        """The column that says whose row it is."""
        return next((column for column, kind in self.identity_columns.items() if kind == "person"), None)

    @property
    def bronze_columns(self) -> dict[str, str]:
        """Columns of the bronze table and their types: identifiers hashed, direct identifiers left out."""
        return {
            name: "bigint" if name in self.identity_columns else column.type
            for name, column in self.columns.items()
            if name not in self.crosswalk
        }


class Vocabulary(Frozen):
    """How the codes of one source vocabulary are looked up."""

    vocabulary_id: str | None = Field(None, description="name in the OMOP vocabulary; default: the same name")
    normalise: tuple[Literal["trim", "no_dot", "upper", "ndc11"], ...] = ("trim",)
    maps: tuple[str, ...] = Field((), description="source-to-concept maps tried before the vocabulary")
    parents: bool = Field(False, description="an unknown code falls back on its longest known parent")


class Mapping(Frozen):
    """Policies of one mapping file."""

    type: str = Field("EHR", description="type concept, by name (see omop.cdm.TYPE_CONCEPTS)")
    one_to_many: Literal["fan_out", "pick_one"] = "fan_out"
    event: str | tuple[str, str] | None = Field(
        None,
        description="mapping whose rows `_event_key` points to; two (`_event_key_1`, `_event_key_2`) for a relation",
    )

    @property
    def events(self) -> dict[str, str]:
        """Key column → the mapping whose rows it points to."""
        if isinstance(self.event, tuple):
            return {f"_event_key_{n}": name for n, name in enumerate(self.event, start=1)}
        return {"_event_key": self.event} if self.event else {}


class CdmSource(Frozen):
    """The row of ``cdm_source`` that the hospital signs."""

    cdm_source_name: str
    cdm_source_abbreviation: str = Field(max_length=25)
    cdm_holder: str
    source_description: str | None = None
    source_documentation_reference: str | None = None
    source_release_date: date


class FileFormat(Frozen):
    """How the files of a source are written."""

    encoding: Literal["utf-8", "latin-1", "windows-1252"] = "utf-8"
    delimiter: str = ","


class FhirInput(Frozen):
    """What FHIR a source sends (kind fhir_r4)."""

    version: Literal["4.0.1"] = Field(description="release of FHIR that the resources follow; R4 is what we read")
    profiles: tuple[str, ...] = Field((), description="profiles that the mappings rely on (HL7 FHIR to OMOP, 010)")
    bundles: tuple[Literal["document", "collection", "message", "searchset", "transaction", "batch"], ...] = Field(
        ("document", "collection", "message"), description="types of Bundle that are read; the others are set aside"
    )
    own_naming: tuple[str, ...] = Field(
        OWN_NAMING, description="identifier systems and extensions that begin so are our own output: never read back"
    )


class Source(Frozen):
    """A hospital's source, as declared."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str
    kind: SourceKind
    timezone: str = Field(description="times of this source without a zone are local times there")
    cdm_source: CdmSource
    files: FileFormat = FileFormat()
    schema_name: str = Field("public", alias="schema")
    fhir: FhirInput | None = Field(None, description="fhir_r4: release, profiles and Bundles")
    tables: dict[str, SourceTable] = Field(min_length=1)
    unused: dict[str, str] = Field(default_factory=dict, description="what is not read, and why")
    vocabularies: dict[str, Vocabulary] = Field(default_factory=dict)
    mappings: dict[str, Mapping] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _belongings_have_one_key(self) -> "Source":
        for name, table in self.tables.items():
            for column, parent in table.belongs_to.items():
                if parent not in self.tables or len(self.tables[parent].key) != 1:
                    raise ValueError(f"{name}.{column} belongs_to {parent}, which is no table with a key of one column")
        return self

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone") from error
        return value

    @model_validator(mode="after")
    def _fhir_is_declared_where_it_is_read(self) -> "Source":
        is_fhir = self.kind is SourceKind.FHIR_R4
        if is_fhir != (self.fhir is not None):
            raise ValueError("a source of kind fhir_r4 says which FHIR it sends under `fhir`; another kind has none")
        for name, table in self.tables.items():
            if is_fhir != (table.resource is not None):
                raise ValueError(f"table {name}: `resource` goes with kind fhir_r4, and only with it")
            if table.for_each and table.for_each_or_null:
                raise ValueError(f"table {name}: give for_each or for_each_or_null, not both")
        return self


def source_folder(name: str) -> Path:
    """Folder of a source: a shipped one by its name, or a hospital's own by its path."""
    folder = Path(name) if "/" in name else SOURCES / name
    if not (folder / "source.yaml").is_file():
        raise UsageError(
            f"there is no source named {name}",
            looked=str(folder / "source.yaml"),
            do=f"choose one of: {', '.join(list_sources())}; or give the path of a folder that holds source.yaml",
        )
    return folder


def list_sources() -> list[str]:
    """Names of the sources that ship."""
    return sorted(path.parent.name for path in SOURCES.glob("*/source.yaml"))


def load_source(folder: Path) -> Source:
    """Read and check a declaration.

    Raises: MappingError: naming the file, the line and the key that is wrong.
    """
    path = folder / "source.yaml"
    text = path.read_text(encoding="utf-8")
    try:
        return Source.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise MappingError(f"{path.name} is not YAML: {error}", looked=str(path), do="correct the file") from error
    except ValidationError as error:
        problems = [f"{_line_of(text, p['loc'])}{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()]
        raise MappingError(
            f"the declaration of {folder.name} has {len(problems)} problem(s): " + "; ".join(problems[:5]),
            looked=str(path),
            do="correct it, then: passerelle source check " + folder.name,
        ) from error


def _line_of(text: str, location: tuple[int | str, ...]) -> str:
    """The line where the deepest named key of a location stands, as ``line 12, ``; empty when not found."""
    lines, found = text.splitlines(), 0
    for part in location:
        pattern = re.compile(rf"^\s*['\"]?{re.escape(str(part))}['\"]?\s*:|[{{,]\s*{re.escape(str(part))}\s*:")
        found = next((i for i in range(found, len(lines)) if pattern.search(lines[i])), found)
    return f"line {found + 1}, "


def mapping_files(folder: Path) -> dict[str, Path]:
    """Mapping files of a source: ``<cdm_table>[.<part>]`` → path, in the order of their names."""
    return {path.stem: path for path in sorted((folder / "mapping").glob("*.sql"))}
