"""The door: identifiers become hashes, direct identifiers go to the crosswalk, before anything is written."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.crosswalk import SCHEMA as CROSSWALK_SCHEMA
from etl.crosswalk import Crosswalk
from etl.declaration import Source, SourceTable
from etl.identity import Secrets, pseudonymise
from etl.many_notes import Cleaning, begin
from etl.pseudonymise_notes import Pseudonymiser
from etl.shift_dates import days_of, shift_dates
from omop.lake import Lake
from spark_jobs.bronze import LINE
from spark_jobs.engine import Engine

MOST_WAITING_BYTES = 64_000_000  # of batches whose notes are being pseudonymised


@dataclass(frozen=True)
class Door:
    """Everything that a row needs to pass: the declaration, the secrets, the crosswalk, the engine."""

    source: Source
    secrets: Secrets
    crosswalk: Crosswalk
    engine: Engine
    lake: Lake
    staging: Path
    turn: Any = field(default_factory=Lock)  # of the crosswalk: who merges into it reads it and writes it anew

    @property
    def salt(self) -> int:
        return self.secrets.engine_salt(self.source.name)


@dataclass(frozen=True)
class _Waiting:
    """A batch whose notes are with the processes that pseudonymise; its text is in memory only."""

    columns: dict[str, Any]  # what is kept of it, notes excepted
    lines: pa.ChunkedArray
    notes: dict[str, Cleaning]
    size: int  # bytes


class Stager:
    """Writes the text of a table to Parquet, already without identifiers.

    Args:
        later: notes may still be on their way when the block ends; the caller will `finish`.
    """

    def __init__(self, door: Door, table: SourceTable, raw: Path, *, later: bool = False) -> None:
        self.door, self.table, self.raw, self.later = door, table, raw, later
        self.kept = [column for column in table.columns if column not in table.crosswalk]
        types = {c: pa.int64() if c in table.identity_columns else pa.string() for c in self.kept}
        self.schema = pa.schema([*types.items(), (LINE, pa.int64())])
        self.people = _known_people(door, table) if table.free_text else None
        self.waiting: deque[_Waiting] = deque()
        self.identifiers: list[pa.Table] = []

    def __enter__(self) -> "Stager":
        self.raw.mkdir(parents=True, exist_ok=True)
        # Read once, soon: neither a dictionary nor a strong compression pays.
        self.writer = pq.ParquetWriter(
            self.raw / "part-0.parquet", self.schema, compression="lz4", use_dictionary=False, write_statistics=False
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abandon()
            self.waiting.clear()
            self.writer.close()
        elif not (self.waiting and self.later):
            self.finish()

    def finish(self) -> None:
        """Write what waits for its notes, and close; nothing is done the second time."""
        self._write_waiting(0)
        self.writer.close()
        identifiers, self.identifiers = self.identifiers, []
        if identifiers:  # in the crosswalk before the rows that need them are in bronze
            with self.door.turn:
                self.door.crosswalk.merge(self.door.source.name, pa.concat_tables(identifiers))

    def abandon(self) -> None:
        """Nobody will `finish`; one who is at it, in another thread, fails."""
        for batch in list(self.waiting):
            for cleaning in batch.notes.values():
                cleaning.cancel()

    def write(self, batch: pa.RecordBatch) -> None:
        door, table, clear = self.door, self.table, pa.Table.from_batches([batch])
        hashed = {
            column: pseudonymise(clear[column], door.secrets.of(kind), door.source.name, kind)
            for column, kind in table.identity_columns.items()
        }
        self.identifiers += _identifiers(door, table, clear, hashed)
        columns = {column: hashed.get(column, clear[column]) for column in self.kept}
        if self.people is None:
            self._write(columns, clear[LINE])
            return
        notes = self.people.begin_to_clean(table, columns)
        rest = {column: values for column, values in columns.items() if column not in notes}
        self.waiting.append(_Waiting(rest, clear[LINE], notes, clear.nbytes))
        self._write_waiting(MOST_WAITING_BYTES)

    def _write_waiting(self, most: int) -> None:
        """Write the batches that came first, until no more than so many bytes wait."""
        while self.waiting and sum(batch.size for batch in self.waiting) > most:
            batch = self.waiting.popleft()
            cleaned = {column: pa.array(cleaning.wait(), pa.string()) for column, cleaning in batch.notes.items()}
            columns = batch.columns | cleaned
            if self.table.free_text_dates == "shift":
                columns |= self._shifted(columns)
            self._write(columns, batch.lines)

    def _write(self, columns: dict[str, Any], lines: pa.ChunkedArray) -> None:
        self.writer.write_table(pa.table({**{c: columns[c] for c in self.kept}, LINE: lines}, schema=self.schema))

    def _shifted(self, columns: dict[str, Any]) -> dict[str, pa.Array]:
        """Text whose dates have moved; after the names went, because a date of birth is replaced as a whole."""
        secret, source = self.door.secrets.notes, self.door.source.name
        people = columns[str(self.table.person_column)].to_pylist()
        days = {person: days_of(secret, f"{source}|{person}") for person in set(people)}
        return {
            column: pa.array(
                [
                    None if text is None else shift_dates(text, days[person])
                    for text, person in zip(columns[column].to_pylist(), people, strict=True)
                ],
                pa.string(),
            )
            for column in self.table.free_text
        }


def _identifiers(door: Door, table: SourceTable, clear: pa.Table, hashed: dict[str, pa.ChunkedArray]) -> list[pa.Table]:
    """Rows of the crosswalk that a batch gives."""
    rows = [
        _crosswalk_rows(door, kind, hashed[column], clear[column], column)
        for column, kind in table.identity_columns.items()
        if column in table.key
    ]
    owner = next((c for c in table.key if c in table.identity_columns), None)
    if owner is not None:
        kind = table.identity_columns[owner]
        rows += [_crosswalk_rows(door, kind, hashed[owner], clear[column], column) for column in table.crosswalk]
    return rows


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

    def begin_to_clean(self, table: SourceTable, columns: dict[str, Any]) -> dict[str, Cleaning]:
        """Each column with notes, on its way to be one without the identifiers that they held."""
        owners = [
            [self.own.get((kind, hashed), []) for hashed in columns[column].to_pylist()]
            for column, kind in table.identity_columns.items()
            if kind != "rest"
        ]
        cleaned = {}
        for column in table.free_text:
            texts = columns[column].to_pylist()
            known = [[i for found in row for i in found] for row in zip(*owners, strict=True)] or [[]] * len(texts)
            cleaned[column] = begin(self.pseudonymiser, list(zip(texts, known, strict=True)))
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
