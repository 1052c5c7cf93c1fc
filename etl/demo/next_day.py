"""The next day of a generated hospital: new stays, late results, corrections, deletions, for a share of its patients.

The tables that come out are the whole delivery of that day, as a nightly dump gives it; where the declaration names a
change column, it moves with each row that changed, so that an increment can be read from the same tables.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.declaration import Source, SourceTable
from etl.demo.draws import BLOCK, Block
from etl.demo.people import EXTRACTION
from etl.demo.record import Tables
from passerelle.errors import UsageError

SHARE = 0.01  # patients that a day touches
LAST_DAY = 9  # a copy of a text number gets the day as one more digit
NEW_STAY, LATE, DELETED_ROW, DELETED_STAY, DELETED_PATIENT = 0.6, 0.5, 0.4, 0.1, 0.03
LATE_BY = np.timedelta64(30 * 86_400, "s")
LATE_NUMBERS = 1 << 49
Change = Callable[[Any, np.datetime64], Any]


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What the tables of a hospital mean to the one who makes its next day; the rest is in its declaration."""

    source: Source
    person: str  # table of the patients
    death: str  # its column
    stay: tuple[str, str]  # table, number
    exit: tuple[str, str]  # columns of the stay: when, how
    died: str  # the exit that is a death
    home: str  # the exit to home
    coded: str  # table of the diagnoses, which are coded at the end of a stay
    sample: tuple[str, str]  # table of what may come late, number
    numbers: frozenset[str]  # columns that number rows, wherever they stand
    deleted: tuple[str, ...]  # tables of which single rows are deleted
    corrected: Mapping[str, Mapping[str, Change]]  # table → column → value and moment to the new value
    tombstone: Mapping[str, Any]  # table → what its tombstone column is filled with; None: the moment
    done: Mapping[str, str] = dataclasses.field(default_factory=dict)  # table → when it was done; before, no row
    revised: tuple[str, str] | None = None  # table whose corrections are new rows, and the column that counts them

    def declared(self, table: str) -> SourceTable | None:
        """The declaration of a table; None for the truth."""
        return self.source.tables.get(table)

    def link(self, name: str, table: pa.Table) -> str | None:
        """The column by which rows of a table belong to others: the stay's number, or that of a row that has it."""
        declared = self.declared(name)
        own = declared.key if declared and self.stay[1] not in declared.key else ()
        if self.stay[1] in table.column_names:
            return self.stay[1]
        return next((c for c in table.column_names if c in self.numbers and c not in own), None)


def as_of(tables: Tables, feed: Feed, block: Block, day: int, share: float, patients: int) -> Tables:
    """The tables of a block some days after the extract; day 0 is the extract itself. Arguments as `next_day`.

    Raises: UsageError: nothing is generated for so late a day.
    """
    if not 0 <= day <= LAST_DAY:
        raise UsageError(f"a generated hospital goes on for {LAST_DAY} days, not {day}")
    for number in range(1, day + 1):
        tables = next_day(tables, feed, block, number, share, patients)
    return tables


def next_day(tables: Tables, feed: Feed, block: Block, day: int, share: float, patients: int) -> Tables:
    """The tables of a block one day later.

    Args:
        tables: those of the day before, with the patient's index in ``_p``, parents before their children.
        day: 1 for the first day after the extract; its predecessor is what ``tables`` hold.
        share: of the patients that the day touches.
        patients: how many are wanted; those beyond, who come last in their block, stay as they are.
    """
    rng = block.generator(f"next_day.{day}")
    touched = block.first + np.flatnonzero(rng.random(BLOCK) < share)
    touched = touched[touched < patients]
    mine = {name: table.filter(pc.is_in(table["_p"], pa.array(touched))) for name, table in tables.items()}
    rest = {name: table.filter(pc.invert(pc.is_in(table["_p"], pa.array(touched)))) for name, table in tables.items()}
    today = _Day(feed, rng, EXTRACTION + np.timedelta64(day, "D"), day)
    for patient in touched.tolist():
        one = {name: table.filter(pc.equal(table["_p"], patient)) for name, table in mine.items()}
        for name, rows in today.patient(one).items():
            rest[name] = pa.concat_tables([rest[name], rows.cast(tables[name].schema)])
    return rest


@dataclass
class _Day:
    """One day's changes to one patient after the other."""

    feed: Feed
    rng: np.random.Generator
    now: np.datetime64
    day: int

    def patient(self, tables: Tables) -> Tables:
        """Rows of one patient, a day later."""
        draw = self.rng.random(5)
        if draw[0] < DELETED_PATIENT:
            everything = {name: np.ones(len(table), dtype=bool) for name, table in tables.items()}
            return self._delete(tables, everything)
        before = tables
        tables = self._close_stays(self._correct(tables))
        if draw[1] < DELETED_ROW:
            tables = self._delete(tables, {name: self._one_key(name, tables[name]) for name in self.feed.deleted})
        stays = before[self.feed.stay[0]][self.feed.stay[1]].to_pylist()
        if draw[2] < DELETED_STAY and len(stays) > 1:
            tables = self._delete(tables, _belonging(tables, self.feed, self.feed.stay[1], stays[0]))
        if draw[3] < NEW_STAY and stays and self._lives(before):
            tables = _with(tables, self._new_stay(before, stays[-1]))
        samples = before[self.feed.sample[0]][self.feed.sample[1]].to_pylist()
        if draw[4] < LATE and samples:
            tables = _with(tables, self._late(before, samples[int(draw[4] / LATE * len(samples))]))
        return tables

    def _lives(self, tables: Tables) -> bool:
        known = tables[self.feed.person][self.feed.death].null_count == len(tables[self.feed.person])
        return known and self.feed.died not in tables[self.feed.stay[0]][self.feed.exit[1]].to_pylist()

    def _one_row(self, table: pa.Table) -> np.ndarray:
        chosen = np.zeros(len(table), dtype=bool)
        if len(table):
            chosen[int(self.rng.random() * len(table))] = True
        return chosen

    def _one_key(self, name: str, table: pa.Table) -> np.ndarray:
        """One row, with the same row sent again: a deletion spares neither."""
        chosen = self._one_row(table)
        if not chosen.any():
            return chosen
        same: np.ndarray = self._same_key(name, table, table.filter(pa.array(chosen))).to_numpy()
        return same

    def _correct(self, tables: Tables) -> Tables:
        """One row of each table that is corrected; where corrections are new rows, one more revision."""
        changed = dict(tables)
        for name, columns in self.feed.corrected.items():
            table, row = tables[name], self._one_row(tables[name])
            if not row.any():
                continue
            new = self._stamped(name, table.filter(pa.array(row)))
            for column, change in columns.items():
                new = _set(new, column, [change(new[column][0].as_py(), self.now)])
            if self.feed.revised and name == self.feed.revised[0]:
                new = _set(new, self.feed.revised[1], [self._next_revision(table, new)])
                changed[name] = pa.concat_tables([table, new])
            else:
                changed[name] = pa.concat_tables([table.filter(pc.invert(self._same_key(name, table, new))), new])
        return changed

    def _same_key(self, name: str, table: pa.Table, row: pa.Table) -> pa.ChunkedArray:
        """Which rows have the key of one: it may have been sent twice."""
        declared = self.feed.declared(name)
        same = pa.chunked_array([np.ones(len(table), dtype=bool)])
        for column in declared.key if declared else ():
            same = pc.and_(same, pc.fill_null(pc.equal(table[column], row[column][0]), False))
        return same

    def _close_stays(self, tables: Tables) -> Tables:
        """Who was still there goes home."""
        (name, _), (when, how) = self.feed.stay, self.feed.exit
        still_here = pc.is_null(tables[name][when])
        gone = self._stamped(name, tables[name].filter(still_here))
        gone = _set(_set(gone, when, [self.now] * len(gone)), how, [self.feed.home] * len(gone))
        return {**tables, name: pa.concat_tables([tables[name].filter(pc.invert(still_here)), gone])}

    def _next_revision(self, table: pa.Table, new: pa.Table) -> int:
        assert self.feed.revised is not None
        number, count = self.feed.sample[1], self.feed.revised[1]
        same = table.filter(pc.equal(table[number], new[number][0]))
        return int(pc.max(same[count]).as_py()) + 1

    def _stamped(self, name: str, table: pa.Table) -> pa.Table:
        declared = self.feed.declared(name)
        if declared is None or declared.change_column is None:
            return table
        return _set(table, declared.change_column, [self.now] * len(table))

    def _delete(self, tables: Tables, chosen: Mapping[str, np.ndarray]) -> Tables:
        """Rows leave as their table's rule says: they are missing, or they carry a tombstone."""
        left = dict(tables)
        for name, rows in chosen.items():
            declared = self.feed.declared(name)
            gone, stay = (tables[name].filter(pa.array(mask)) for mask in (rows, ~rows))
            if declared is not None and declared.delete_rule.column is not None:
                sign = self.feed.tombstone[name]
                gone = _set(self._stamped(name, gone), declared.delete_rule.column, [sign or self.now] * len(gone))
                stay = pa.concat_tables([stay, gone])
            left[name] = stay
        return left

    def _new_stay(self, tables: Tables, number: str) -> Tables:
        """A stay that began this day, like an earlier one; of its later days nothing is known yet."""
        start = pc.min(_rows(tables[self.feed.stay[0]], self.feed.stay[1], number)["entree"]).as_py()
        begins = self.now - np.timedelta64(int(self.rng.random() * 80_000) + 3_600, "s")
        copied = self._copied(tables, self.feed.stay[1], number, begins - np.datetime64(start, "s"), 1 << 50 + self.day)
        kept = {name: self._known_now(name, table) for name, table in copied.items()}
        table, (when, how) = kept[self.feed.stay[0]], self.feed.exit
        still_here = table[when].combine_chunks().is_null()
        exits = pc.if_else(still_here, pa.scalar(None, pa.string()), table[how].combine_chunks())
        kept[self.feed.stay[0]] = table.set_column(table.column_names.index(how), how, exits)
        return kept

    def _late(self, tables: Tables, number: Any) -> Tables:
        """Results of a month ago, that arrive today."""
        offset = (1 << 50 + self.day) + LATE_NUMBERS
        copied = self._copied(tables, self.feed.sample[1], number, -LATE_BY, offset)
        return {name: self._stamped(name, table) for name, table in copied.items()}

    def _copied(self, tables: Tables, column: str, number: Any, shift: np.timedelta64, offset: int) -> Tables:
        """Everything that belongs to a number, under new numbers and at other times."""
        chosen = _belonging(tables, self.feed, column, number)
        keeps_stay = column != self.feed.stay[1]
        copied = {}
        for name, rows in chosen.items():
            table = tables[name].filter(pa.array(rows))
            declared = self.feed.declared(name)
            for field in table.schema:
                cells = table[field.name]
                if field.name in self.feed.numbers and not (keeps_stay and field.name == self.feed.stay[1]):
                    cells = _renumbered(cells, offset, self.day)
                elif pa.types.is_timestamp(field.type):
                    cells = pc.add(cells, pa.scalar(shift, pa.duration("s")))
                elif declared and field.name in declared.free_text and not keeps_stay:
                    cells = pc.replace_substring(cells, str(number), f"{number}{self.day}")
                table = _set(table, field.name, cells)
            copied[name] = table
        return copied

    def _known_now(self, name: str, table: pa.Table) -> pa.Table:
        """Rows whose time has come, without what is still to come; codes of a stay are written at its end."""
        declared = self.feed.declared(name)
        if declared is None:
            return table
        times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        if name == self.feed.coded:
            return table.slice(0, 0)
        for main in (*declared.required, *times)[:1]:
            table = table.filter(pc.less_equal(table[main], pa.scalar(self.now)))
        if name in self.feed.done:
            done = table[self.feed.done[name]]
            table = table.filter(pc.or_(pc.is_null(done), pc.less_equal(done, pa.scalar(self.now))))
        for time in times:
            instead = pa.scalar(self.now if time == declared.change_column else None, table.schema.field(time).type)
            table = _set(table, time, pc.if_else(pc.greater(table[time], pa.scalar(self.now)), instead, table[time]))
        return table


def _belonging(tables: Tables, feed: Feed, column: str, number: Any) -> dict[str, np.ndarray]:
    """Which rows of each table belong to a number: those that bear it, and those that bear the number of such a row."""
    held: dict[str, set[Any]] = {column: {number}}
    chosen = {}
    for name, table in tables.items():
        declared = feed.declared(name)
        link = column if column in table.column_names else feed.link(name, table)
        if link is None or link not in held:
            continue
        rows = pc.is_in(table[link], pa.array(sorted(held[link]), table.schema.field(link).type)).to_numpy()
        chosen[name] = rows
        for own in declared.key if declared else ():
            if own in feed.numbers:
                held.setdefault(own, set()).update(table.filter(pa.array(rows))[own].to_pylist())
    return chosen


def _rows(table: pa.Table, column: str, value: Any) -> pa.Table:
    return table.filter(pc.equal(table[column], value))


def _renumbered(cells: pa.ChunkedArray, offset: int, day: int) -> pa.ChunkedArray:
    if pa.types.is_integer(cells.type):
        return pc.add(cells, offset)
    return pc.binary_join_element_wise(cells, str(day), "")


def _set(table: pa.Table, column: str, cells: Any) -> pa.Table:
    field = table.schema.field(column)
    array = cells if isinstance(cells, pa.Array | pa.ChunkedArray) else pa.array(cells, field.type)
    return table.set_column(table.column_names.index(column), field, array.cast(field.type))


def _with(tables: Tables, more: Tables) -> Tables:
    return {
        name: pa.concat_tables([table, more[name].cast(table.schema)]) if name in more else table
        for name, table in tables.items()
    }
