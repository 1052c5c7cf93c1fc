"""Land: the tables of a source, pseudonymised at the door, typed, in bronze; what cannot be read is set aside.

spark-submit passerelle/__main__.py extract mimic_iv --input DIR --workspace W --engine submitted
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from etl.declaration import Source, SourceKind, SourceTable
from etl.readers.csv import BadRecord, CsvRecords
from etl.readers.database import open_database, open_relation
from etl.readers.fhir_r4 import FhirFolder, FhirTable, SetAside
from etl.readers.files import open_file
from passerelle.errors import SourceError, UsageError
from spark_jobs.bronze import BronzeState, back_to, signature
from spark_jobs.door import Door, Stager
from spark_jobs.engine import AT_ONCE, MANY_ROWS
from spark_jobs.find_departures import Departures
from spark_jobs.ops import QUARANTINE_SAMPLE, Quarantined
from spark_jobs.type_rows import Typed, type_rows
from spark_jobs.write_bronze import Arrived, write_bronze

# A row may be committed a while after the moment that its change column bears.
LATE = timedelta(days=1)
MOMENTS = ("timestamp", "date")  # types of a change column that a database can be asked by


@dataclass
class Landed:
    """What became of one table of the source at the door, and the bronze table after it."""

    table: str
    read: int = 0  # of everything that came and still counts, as the figures below
    merged: int = 0  # the same row sent twice
    excluded: dict[str, int] = field(default_factory=dict)  # rule → rows (FHIR: what reaches no table)
    quarantined: list[Quarantined] = field(default_factory=list)
    quarantined_rows: int = 0
    state: BronzeState | None = None  # None: no bronze table


@dataclass(frozen=True)
class Delivery:
    """What an input holds: everything, or what changed since a moment.

    A database is asked for what changed since the last landing, where a table has a change column; files hold
    everything unless somebody says since when.
    """

    full: bool = False  # read everything again, whatever the change columns say
    since: datetime | None = None  # local time of the source, unless it bears a zone

    def moment(self, source: Source, table: SourceTable, base: BronzeState | None) -> datetime | None:
        """Since when the rows of a table are delivered (UTC, without a zone); None: all of them are."""
        if self.full or base is None:
            return None
        since = _utc(self.since, source.timezone) if self.since else None
        if source.kind is not SourceKind.POSTGRESQL:
            return since
        if table.change_column is None or table.columns[table.change_column].type not in MOMENTS:
            return None
        last = datetime.fromisoformat(base.newest) - LATE if base.newest else None
        return since or last


def _utc(moment: datetime, timezone: str) -> datetime:
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    return local.astimezone(UTC).replace(tzinfo=None)


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
    turn: Any = field(default_factory=Lock)  # of the connection: it answers one question at a time

    @property
    def is_database(self) -> bool:
        return self.connection is not None

    @contextmanager
    def stream(self, table_name: str, since: datetime | None = None) -> Iterator[Any]:
        """The UTF-8 CSV stream of a table; None when an optional file is absent.

        Args:
            since: a database gives the rows that changed then or later.
        """
        table = self.source.tables[table_name]
        if self.folder is not None:
            with open_file(self.source, table_name, table, self.folder, may_lack=since is not None) as stream:
                yield stream
        else:
            with self.turn, open_relation(self.connection, self.source, table_name, table, since) as stream:
                yield stream

    def aside(self) -> Iterator[Landed]:
        """What the source sent and no table takes, by type of resource; known when every table has landed."""
        for kind, aside in self.fhir.aside.items() if self.fhir is not None else ():
            name, bad = f"resource/{kind}", len(aside.bad)
            if aside.read != sum(aside.excluded.values()) + bad:
                raise _unbalanced(name, aside.read, f"{sum(aside.excluded.values())} excluded, {bad} set aside")
            yield Landed(
                name,
                read=aside.read,
                excluded=dict(aside.excluded),
                quarantined=_sample(name, aside.bad),
                quarantined_rows=bad,
            )


def landing_order(source: Source) -> list[str]:
    """Tables that know people come first: the notes that follow are searched for their names.

    Notes come next, since the processes that pseudonymise them work beside everything else.
    """

    def turn(name: str) -> int:
        table = source.tables[name]
        if not table.free_text:
            return 0 if table.knows_people else 3
        return 1 if table.knows_people else 2

    return sorted(source.tables, key=turn)


def land_tables(
    door: Door,
    opened: Opened,
    bases: Mapping[str, BronzeState],
    delivery: Delivery,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Landed]:
    """Land every table: while the engine takes one in, the next ones come through the door.

    Args:
        bases: tables as the last published run landed them; what came after it and was never published is undone.
    """
    waiting: deque[Future[Landed]] = deque()
    last: list[Came] = []  # their notes are still with the processes that pseudonymise
    rows = sum(base.rows for base in bases.values())  # nobody knows those of a first landing
    engine_side = ThreadPoolExecutor(max_workers=AT_ONCE if 0 < rows < MANY_ROWS else 1)
    try:
        for name in landing_order(door.source):
            progress(f"landing {name}")
            came = read_table(door, opened, name, bases.get(name), delivery)
            if came.is_on_its_way and came.departures is None:
                last.append(came)
                continue
            waiting.append(engine_side.submit(take_in, door, came))
            while waiting and waiting[0].done():
                yield waiting.popleft().result()
        waiting.extend(engine_side.submit(take_in, door, came) for came in last)
        for landed in waiting:
            yield landed.result()
    except BaseException:
        for came in last:
            came.abandon()
        raise
    finally:
        engine_side.shutdown(cancel_futures=True)
        shutil.rmtree(door.staging / "raw", ignore_errors=True)  # a name in the wrong column is still in this text


@dataclass(frozen=True)
class Came:
    """A delivery of one table that has passed the door: its text is staged, without identifiers, or soon will be."""

    table: str
    base: BronzeState | None
    part: bool  # it holds some rows; those that it does not hold stay
    records: CsvRecords | FhirTable | None  # None: an optional file is absent
    departures: Departures | None  # finds what a database no longer has, when it was asked for some rows
    stager: Stager | None = None  # None: nothing came, or everything is staged

    @property
    def is_on_its_way(self) -> bool:
        """Whether notes are still with the processes that pseudonymise."""
        return self.stager is not None and bool(self.stager.waiting)

    def abandon(self) -> None:
        """Wait for no note any more."""
        if self.stager is not None:
            self.stager.abandon()

    @property
    def read(self) -> int:
        return self.records.read if self.records else 0


def read_table(door: Door, opened: Opened, name: str, base: BronzeState | None, delivery: Delivery) -> Came:
    """Let the rows of one table through the door."""
    table = door.source.tables[name]
    back_to(door.lake, door.source.name, name, base)
    if base is not None and base.columns != signature(table):
        base = None
    since = delivery.moment(door.source, table, base)
    records, stager = _read(door, opened, name, since)
    asks = since is not None and opened.is_database
    departures = Departures(door, opened.connection, opened.turn, name) if asks else None
    return Came(name, base, since is not None, records, departures, stager)


def take_in(door: Door, came: Came) -> Landed:
    """Bring what came into bronze; its text does not outlive this."""
    if came.stager is not None:
        came.stager.finish()
    typed = Typed.nothing(came.table) if came.part and not came.read else _typed(door, came)
    arrived = Arrived(typed, came.read, came.part, came.departures)
    state = write_bronze(door.engine, door.lake, door.source, came.table, arrived, came.base, door.staging)
    shutil.rmtree(_raw(door, came.table), ignore_errors=True)
    unreadable = _sample(came.table, came.records.bad) if came.records else []
    return Landed(
        came.table,
        read=state.read,
        merged=state.merged,
        quarantined=unreadable + typed.quarantined,
        quarantined_rows=state.quarantined,
        state=state,
    )


def _raw(door: Door, table_name: str) -> Path:
    return door.staging / "raw" / table_name


def _read(
    door: Door, opened: Opened, table_name: str, since: datetime | None
) -> tuple[CsvRecords | FhirTable | None, Stager | None]:
    """Let the rows of a table through the door; nothing when an optional file is absent."""
    raw, table = partial(_raw, door), door.source.tables[table_name]
    if opened.fhir is not None:
        return opened.fhir.stage(table_name, lambda name: Stager(door, door.source.tables[name], raw(name))), None
    later = not table.knows_people  # the notes that follow need its names
    with opened.stream(table_name, since) as stream, Stager(door, table, raw(table_name), later=later) as stager:
        records = CsvRecords(door.source, table_name, table, stream) if stream is not None else None
        for batch in records.batches() if records is not None else ():
            stager.write(batch)
    return records, stager


def _typed(door: Door, came: Came) -> Typed:
    door.engine.view_of_parquet(f"raw__{came.table}", _raw(door, came.table))
    staging = door.staging / "twice" / came.table
    typed = type_rows(door.engine, door.source, came.table, f"raw__{came.table}", door.salt, staging)
    typed.quarantined_rows += len(came.records.bad) if came.records else 0
    if came.read != typed.rows + typed.merged + typed.quarantined_rows:
        became = f"{typed.rows} landed, {typed.merged} merged and {typed.quarantined_rows} set aside"
        raise _unbalanced(came.table, came.read, became)
    return typed


def _unbalanced(name: str, read: int, became: str) -> SourceError:
    return SourceError(f"{name}: {read} rows read, but {became}", do="report it: the landing lost rows")


def _sample(name: str, bad: Sequence[BadRecord | SetAside]) -> list[Quarantined]:
    return [Quarantined(name, None, record.line, record.reason, None) for record in bad[:QUARANTINE_SAMPLE]]
