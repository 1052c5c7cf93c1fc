"""Land: the tables of a source, pseudonymised at the door, typed, in bronze; what cannot be read is set aside.

spark-submit passerelle/__main__.py extract mimic_iv --input DIR --workspace W --engine submitted
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.crosswalk import SCHEMA as CROSSWALK_SCHEMA
from etl.crosswalk import Crosswalk
from etl.declaration import Source, SourceColumn, SourceKind, SourceTable
from etl.identity import Secrets, pseudonymise
from etl.pseudonymise_notes import Pseudonymiser
from etl.readers.csv import LINE, BadRecord, CsvRecords
from etl.readers.database import open_database, open_relation
from etl.readers.fhir_r4 import FhirFolder, FhirTable, SetAside
from etl.readers.files import open_file
from etl.sql_text import literal, name
from omop.lake import Lake
from passerelle.errors import SourceError, UsageError
from spark_jobs.delta import Receipt, overwrite, table_version
from spark_jobs.engine import Engine
from spark_jobs.ops import QUARANTINE_SAMPLE, Quarantined

ROW = "_row"
DUPLICATE = "duplicate_row"


@dataclass
class Landed:
    """What became of one table of the source at the door."""

    table: str
    read: int = 0
    landed: int = 0
    merged: int = 0  # the same row sent twice
    excluded: dict[str, int] = field(default_factory=dict)  # rule → rows (FHIR: what reaches no table)
    quarantined: list[Quarantined] = field(default_factory=list)
    quarantined_rows: int = 0
    version: int = -1
    fingerprint: str = ""


@dataclass(frozen=True)
class Door:
    """Everything that a row needs to pass: the declaration, the secrets, the crosswalk, the engine."""

    source: Source
    secrets: Secrets
    crosswalk: Crosswalk
    engine: Engine
    lake: Lake
    staging: Path


@contextmanager
def open_source(source: Source, location: str) -> Iterator["Opened"]:
    """Open the folder or the database that a source is read from.

    Args:
        location: a folder (kinds files and fhir_r4) or a PostgreSQL URL (kind postgresql).
    """
    if source.kind is not SourceKind.POSTGRESQL:
        folder = Path(location)
        if not folder.is_dir():
            raise UsageError(f"the input of {source.name} is not a folder", looked=location, do="give --input DIR")
        if source.kind is SourceKind.FHIR_R4:
            yield Opened(source, fhir=FhirFolder(source, folder))
        else:
            yield Opened(source, folder=folder)
        return
    with open_database(location) as connection:
        yield Opened(source, connection=connection)


@dataclass(frozen=True)
class Opened:
    """A source that answers."""

    source: Source
    folder: Path | None = None
    connection: Any = None
    fhir: FhirFolder | None = None

    @contextmanager
    def stream(self, table_name: str) -> Iterator[Any]:
        """The UTF-8 CSV stream of a table; None when an optional file is absent."""
        table = self.source.tables[table_name]
        if self.folder is not None:
            with open_file(self.source, table_name, table, self.folder) as stream:
                yield stream
        else:
            with open_relation(self.connection, self.source, table_name, table) as stream:
                yield stream

    def aside(self) -> Iterator[Landed]:
        """What the source sent and no table takes, by type of resource; known when every table has landed."""
        for kind, aside in self.fhir.aside.items() if self.fhir is not None else ():
            name = f"resource/{kind}"
            landed = Landed(name, read=aside.read, excluded=dict(aside.excluded), quarantined_rows=len(aside.bad))
            landed.quarantined = _sample(name, aside.bad)
            landed.fingerprint = f"{landed.read}:{landed.excluded}:{landed.quarantined_rows}"
            _balanced(landed)
            yield landed


def landing_order(source: Source) -> list[str]:
    """Tables that know people come first: the notes that follow are searched for their names."""
    return sorted(
        source.tables, key=lambda table: (bool(source.tables[table].free_text), not source.tables[table].crosswalk)
    )


def land_table(door: Door, opened: Opened, table_name: str, known: dict[str, tuple[str, int]]) -> Landed:
    """Land one table.

    Args:
        known: fingerprint and version of each bronze table after the last landing; the table is left as it is when
            both are those of now (a landing that was killed may have written the table without being recorded).
    """
    outcome, done = Landed(table_name), False
    try:
        _read(door, opened, table_name, outcome)
        _type_and_write(door, table_name, _raw(door, table_name), outcome, known.get(table_name))
        done = True
    finally:  # a name in the wrong column is still in this text: it does not outlive the landing of its table
        shutil.rmtree(_raw(door, table_name) if done else door.staging / "raw", ignore_errors=True)
    return outcome


def _raw(door: Door, table_name: str) -> Path:
    return door.staging / "raw" / table_name


def _read(door: Door, opened: Opened, table_name: str, outcome: Landed) -> None:
    """Stage the rows of a table; those that cannot be a row are set aside."""
    records: CsvRecords | FhirTable | None
    if opened.fhir is not None:
        records = opened.fhir.stage(table_name, lambda name: _Stager(door, name))
    else:
        with opened.stream(table_name) as stream, _Stager(door, table_name) as stager:
            records = CsvRecords(door.source, table_name, stager.table, stream) if stream is not None else None
            for batch in records.batches() if records is not None else ():
                stager.write(batch)
    if records is not None:
        outcome.read, outcome.quarantined_rows = records.read, len(records.bad)
        outcome.quarantined = _sample(table_name, records.bad)


def _sample(name: str, bad: Sequence[BadRecord | SetAside]) -> list[Quarantined]:
    return [Quarantined(name, None, record.line, record.reason, None) for record in bad[:QUARANTINE_SAMPLE]]


# --- 1. At the door: identifiers become hashes, before anything is written -----------------------------------------


class _Stager:
    """Writes the text of a table to Parquet, already without identifiers."""

    def __init__(self, door: Door, name: str) -> None:
        self.door, self.table = door, door.source.tables[name]
        self.kept = [column for column in self.table.columns if column not in self.table.crosswalk]
        types = {c: pa.int64() if c in self.table.identity_columns else pa.string() for c in self.kept}
        self.schema = pa.schema([*types.items(), (LINE, pa.int64())])
        self.people = _known_people(door, self.table) if self.table.free_text else None
        self.raw = _raw(door, name)

    def __enter__(self) -> "_Stager":
        self.raw.mkdir(parents=True, exist_ok=True)
        self.writer = pq.ParquetWriter(self.raw / "part-0.parquet", self.schema)
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        door, table, clear = self.door, self.table, pa.Table.from_batches([batch])
        hashed = {
            column: pseudonymise(clear[column], door.secrets.of(kind), door.source.name, kind)
            for column, kind in table.identity_columns.items()
        }
        _remember(door, table, clear, hashed)
        columns = {column: hashed.get(column, clear[column]) for column in self.kept}
        if self.people is not None:
            columns |= self.people.clean(table, columns)
        self.writer.write_table(pa.table({**columns, LINE: clear[LINE]}, schema=self.schema))


def _remember(door: Door, table: SourceTable, clear: pa.Table, hashed: dict[str, pa.ChunkedArray]) -> None:
    """Put identifiers in the crosswalk, before the rows that need them exist."""
    rows: list[pa.Table] = []
    for column, kind in table.identity_columns.items():
        if column in table.key:
            rows.append(_crosswalk_rows(door, kind, hashed[column], clear[column], column))
    owner = next((c for c in table.key if c in table.identity_columns), None)
    if owner is not None:
        for column in table.crosswalk:
            rows.append(_crosswalk_rows(door, table.identity_columns[owner], hashed[owner], clear[column], column))
    if rows:
        door.crosswalk.merge(door.source.name, pa.concat_tables(rows))


def _crosswalk_rows(door: Door, kind: str, hashed: pa.ChunkedArray, clear: pa.ChunkedArray, attribute: str) -> pa.Table:
    n = len(clear)
    table = pa.table(
        {
            "source": pa.repeat(door.source.name, n),
            "kind": pa.repeat(kind, n),
            "hash": hashed,
            "identifier": clear,
            "attribute": pa.repeat(attribute, n),
        }
    ).cast(CROSSWALK_SCHEMA)
    return table.filter(pc.and_(pc.is_valid(table["hash"]), pc.is_valid(table["identifier"])))


@dataclass(frozen=True)
class _People:
    """What to look for in free text: the staff everywhere; a patient and a stay in their own notes."""

    pseudonymiser: Pseudonymiser
    own: dict[tuple[str, int], list[str]]  # (person or stay, hash) → identifiers

    def clean(self, table: SourceTable, columns: dict[str, Any]) -> dict[str, pa.Array]:
        owners = [
            [self.own.get((kind, hashed), []) for hashed in columns[column].to_pylist()]
            for column, kind in table.identity_columns.items()
            if kind != "rest"
        ]
        cleaned = {}
        for column in table.free_text:
            texts = columns[column].to_pylist()
            known = [[i for found in row for i in found] for row in zip(*owners, strict=True)] or [[]] * len(texts)
            cleaned[column] = pa.array(
                [
                    None if text is None else self.pseudonymiser.text(text, identifiers)
                    for text, identifiers in zip(texts, known, strict=True)
                ],
                pa.string(),
            )
        return cleaned


def _known_people(door: Door, table: SourceTable) -> _People:
    rows = door.crosswalk.open(
        door.source.name, why=f"pseudonymise the text of {table.path or table.relation or 'a table'}"
    )
    own: dict[tuple[str, int], list[str]] = {}
    staff: list[str] = []
    for kind, hashed, identifier in zip(
        rows["kind"].to_pylist(), rows["hash"].to_pylist(), rows["identifier"].to_pylist(), strict=True
    ):
        if kind in ("person", "stay"):
            own.setdefault((kind, hashed), []).append(identifier)
        elif kind == "rest" and not any(c.isdigit() for c in identifier):
            staff.append(identifier)
    return _People(Pseudonymiser.knowing(staff), own)


# --- 2. In the engine: text becomes typed columns, bad values are set aside ----------------------------------------


def _type_and_write(door: Door, table_name: str, raw: Path, outcome: Landed, known: tuple[str, int] | None) -> None:
    table = door.source.tables[table_name]
    engine, view = door.engine, f"raw__{table_name}"
    engine.view_of_parquet(view, raw)
    typed = typed_query(door.source, table_name, view, door.secrets.engine_salt(door.source.name))
    typed_view = f"typed__{table_name}"
    engine.stage(typed_view, typed, door.staging / "typed" / table_name)
    _set_aside_bad_values(engine, table_name, typed_view, outcome)
    good = _without_duplicates(engine, table_name, typed_view, table, outcome)
    schema = {ROW: "bigint", **table.bronze_columns, LINE: "bigint"}
    counted = engine.rows(
        f"SELECT count(*) AS n, sum(CAST({_content_hash(ROW, *table.bronze_columns)} AS decimal(20, 0))) AS h "
        f"FROM ({good}) AS good"
    )[0]
    outcome.landed, outcome.fingerprint = counted["n"], f"{counted['n']}:{counted['h']}"
    path = door.lake.bronze(door.source.name, table_name)
    if known == (outcome.fingerprint, table_version(path)):
        outcome.version = known[1]
    else:
        receipt: Receipt = overwrite(engine.sql(good), path, schema, outcome.landed)
        outcome.version = receipt.version
    _balanced(outcome)


def _content_hash(*columns: str) -> str:
    """SQL that hashes the values of a row, each with its place: a null alone would leave no trace in the hash."""
    return f"xxhash64({', '.join(f'{name(column)}, {name(column)} IS NULL' for column in columns)})"


def typed_query(source: Source, table_name: str, view: str, salt: int) -> str:
    """Cast the text of a table: one column of the declared type each, ``_row``, and the first defect of each row."""
    table = source.tables[table_name]
    casts, defects, notes = [], [], []
    for column, kind in table.bronze_columns.items():
        if column in table.identity_columns:
            casts.append(name(column))
            value = name(column)
        else:
            value = cast_text(name(column), table.columns[column], source.timezone)
            casts.append(f"{value} AS {name(column)}")
        empty = f"{name(column)} IS NULL"
        unreadable = f"{name(column)} IS NOT NULL AND {value} IS NULL"
        if column in table.key or column in table.required:
            if column in table.required:
                defects.append(f"WHEN {empty} THEN {literal(f'{column} is empty')}")
            defects.append(f"WHEN {unreadable} THEN {literal(f'{column} is not a {kind}')}")
        elif kind not in ("string",) and column not in table.identity_columns:
            notes.append(f"CASE WHEN {unreadable} THEN {literal(f'{column} is not a {kind}')} END")
    keys = ", ".join(
        f"coalesce(CAST({name(column)} AS string), '')" for column in table.key if column not in table.crosswalk
    )
    row = f"xxhash64({salt}L, {literal(source.name)}, {literal(table_name)}, {keys})"
    defect = f"CASE {' '.join(defects)} END" if defects else "CAST(NULL AS string)"
    note = f"concat_ws('; ', {', '.join(notes)})" if notes else "''"
    return (
        f"SELECT {row} AS {ROW}, {', '.join(casts)}, {LINE}, {defect} AS _defect, "
        f"CASE WHEN {note} = '' THEN NULL ELSE {note} END AS _note FROM {view}"
    )


def cast_text(value: str, column: SourceColumn, timezone: str) -> str:
    """SQL that reads a text as its declared type, null when it cannot be; local times become UTC here, once."""
    trimmed = f"nullif(trim({value}), '')"
    match column.type:
        case "string":
            return value
        case "timestamp":
            parsed = (
                f"try_cast({trimmed} AS timestamp)"
                if column.format is None
                else f"try_to_timestamp({trimmed}, {literal(column.format)})"
            )
            if timezone == "UTC":
                return parsed
            zoned = f"{value} RLIKE '[0-9]:[0-9]{{2}}.*(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$'"
            return f"CASE WHEN {zoned} THEN {parsed} ELSE to_utc_timestamp({parsed}, {literal(timezone)}) END"
        case "date" if column.format is not None:
            return f"CAST(try_to_timestamp({trimmed}, {literal(column.format)}) AS date)"
        case _:
            return f"try_cast({trimmed} AS {column.type})"


def _set_aside_bad_values(engine: Engine, table_name: str, view: str, outcome: Landed) -> None:
    counted = engine.rows(f"SELECT count(_defect) AS bad, count(_note) AS noted FROM {view}")[0]
    outcome.quarantined_rows += counted["bad"]
    for column, whole_row in (("_defect", True), ("_note", False)):
        if counted["bad" if whole_row else "noted"] == 0:
            continue
        rows = engine.rows(
            f"SELECT {ROW}, {LINE}, {column} AS reason FROM {view} WHERE {column} IS NOT NULL "
            f"ORDER BY {LINE} LIMIT {QUARANTINE_SAMPLE}"
        )
        outcome.quarantined += [
            Quarantined(table_name, row[ROW], row[LINE], row["reason"], None, whole_row) for row in rows
        ]


def _without_duplicates(engine: Engine, table_name: str, view: str, table: SourceTable, outcome: Landed) -> str:
    """The good rows, each key once: equal copies are merged, the others set aside."""
    columns = ", ".join(name(column) for column in (ROW, *table.bronze_columns, LINE))
    good = f"SELECT {columns} FROM {view} WHERE _defect IS NULL"
    content = _content_hash(*table.bronze_columns)
    repeated = engine.rows(
        f"SELECT {ROW}, min({LINE}) AS _first FROM {view} WHERE _defect IS NULL GROUP BY {ROW} HAVING count(*) > 1"
    )
    if not repeated:
        return good
    engine.view_of_arrow(f"repeated__{table_name}", pa.Table.from_pylist(repeated))
    surplus = (
        f"SELECT g.{ROW}, g.{LINE}, {content} = first_row._h AS equal FROM {view} AS g "
        f"JOIN repeated__{table_name} AS r ON r.{ROW} = g.{ROW} "
        f"JOIN (SELECT v.{ROW}, v.{LINE}, {content} AS _h FROM {view} AS v) AS first_row "
        f"ON first_row.{ROW} = g.{ROW} AND first_row.{LINE} = r._first "
        f"WHERE g._defect IS NULL AND g.{LINE} <> r._first"
    )
    rows = engine.rows(surplus)
    outcome.merged += sum(1 for row in rows if row["equal"])
    conflicts = [row for row in rows if not row["equal"]]
    outcome.quarantined_rows += len(conflicts)
    outcome.quarantined += [
        Quarantined(table_name, row[ROW], row[LINE], f"duplicate key ({', '.join(table.key)})", None)
        for row in conflicts[:QUARANTINE_SAMPLE]
    ]
    engine.view_of_arrow(f"surplus__{table_name}", pa.table({LINE: pa.array([row[LINE] for row in rows], pa.int64())}))
    return f"{good} AND {LINE} NOT IN (SELECT {LINE} FROM surplus__{table_name})"


def _balanced(outcome: Landed) -> None:
    if outcome.read != outcome.landed + outcome.merged + sum(outcome.excluded.values()) + outcome.quarantined_rows:
        raise SourceError(
            f"{outcome.table}: {outcome.read} rows read, but {outcome.landed} landed, {outcome.merged} merged and "
            f"{outcome.quarantined_rows} set aside",
            do="report it: the landing lost rows",
        )
