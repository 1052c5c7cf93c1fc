"""The rows that a run maps: all, or those of the persons whom an increment touches, as they were and as they are.

An increment maps the rows of the touched persons twice, from the bronze that the tables were made of and from that of
today; what differs is what changes in the tables and in the accounts. Whatever else the mappings do, it cancels out.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from etl.cdm_rows import Frame, hashed_key
from etl.compiler import CompiledMapping, CompiledSource, is_personal
from etl.crosswalk import Crosswalk
from etl.declaration import Source
from etl.ownership import Ownership, joins, owner_query, ownership, parents, people_of
from omop.lake import Lake
from spark_jobs.bronze import BATCH, GONE, ROW, BronzeState, open_current, open_log, row_columns, states_query
from spark_jobs.delta import Buckets
from spark_jobs.engine import Engine

T = TypeVar("T")
OLD, NEW = "old", "new"
IN = {OLD: "_in_old", NEW: "_in_new"}  # columns that say whether a row is a current one of a side
NAMED = "_named"  # column: every person whom a row names, on either side
TOUCHED, TOUCHED_IDS = "touched", "touched_ids"  # views: person (hash in bronze); person_id
ROUNDS = 5  # a row may name two persons, another one of them and a third, …


class EverythingChanges(Exception):
    """An increment cannot be told from its touched persons: everything has to be mapped."""


@dataclass(frozen=True)
class MapRun:
    """Everything that a map run needs."""

    engine: Engine
    lake: Lake
    staging: Path
    compiled: CompiledSource
    frame: Frame
    bronze: dict[str, BronzeState]
    crosswalk: Crosswalk
    with_vocabulary: bool = True
    base: dict[str, BronzeState] | None = None  # bronze that the tables were made of; None: everything is mapped anew
    _staged: dict[str, "Future[str]"] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Any = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def buckets(self) -> Buckets:
        return Buckets(self.frame.first_bucket, self.frame.first_bucket + self.frame.buckets)

    @property
    def source(self) -> Source:
        return self.compiled.source

    def stage(self, view: str, query: str) -> str:
        self.engine.stage(view, query, self.staging / "map" / view)
        return view

    def stage_once(self, view: str, query: str) -> str:
        """Stage a query, unless it was; gives the name of its view. What is alike on both sides is made for one."""
        with self._lock:
            begun = self._staged.get(query)
            staged = self._staged.setdefault(query, Future())
        if begun is None:
            try:
                staged.set_result(self.stage(view, query))
            except BaseException as error:
                staged.set_exception(error)
                raise
        return staged.result()

    def rows_of(self, queries: Iterable[str]) -> list[dict[str, Any]]:
        """Small results of queries of one shape, over the rows of a side.

        One statement where an increment has few rows to look at; else one each, since the memory of all would add up.
        """
        if self.base is not None:
            return self.engine.rows(" UNION ALL ".join(queries))
        found = self.at_once(partial(self.engine.rows, query) for query in queries)
        return [row for rows in found for row in rows]

    def at_once(self, steps: Iterable[Callable[[], T]]) -> list[T]:
        """Take steps that do not depend on one another, some at a time."""
        rows = sum(state.rows for state in self.bronze.values()) if self.base is None else 0
        return self.engine.at_once(steps, rows)

    def has_changed(self, table: str) -> bool:
        """Whether an increment differs from its base in a table."""
        return self.base is None or self.bronze[table].batch != self.base[table].batch

    def state(self, side: str, table: str) -> BronzeState:
        """A bronze table as one side of an increment has it."""
        return self.base[table] if side == OLD and self.base is not None else self.bronze[table]


@dataclass
class Side:
    """One state of bronze on its way into the CDM; views by name of table or mapping."""

    name: str
    whole: dict[str, str]  # all current rows of a bronze table; in an increment, of those that something asks for whole
    rows: dict[str, str]  # those to map
    mapped: dict[str, str] = field(default_factory=dict)  # stage 1
    codes: str = ""
    cdm: dict[str, str] = field(default_factory=dict)  # stage 2
    known: dict[str, str] = field(default_factory=dict)  # entity table → ids that exist


def open_sides(run: MapRun) -> list[Side]:
    """The sides of a run, ready to be read: the new one, and before it the old one of an increment."""
    if run.base is None:
        new = _open_whole(run, NEW, run.source.tables)
        return [Side(NEW, new, new)]
    asked = sorted(_asked_for_whole(run))
    whole = {NEW: _open_whole(run, NEW, asked)}
    whole[OLD] = whole[NEW] | _open_whole(run, OLD, filter(run.has_changed, asked))
    people = _People(run, whole)
    people.touch(people.of_changed_rows())
    for _ in range(ROUNDS):
        rows = people.rows()
        if not people.touch_others(rows):
            break
    key = hashed_key(run.frame, "person", "person")
    run.stage(TOUCHED_IDS, f"SELECT {key} AS person_id FROM {TOUCHED}")
    return [Side(side, whole[side], whole[side] | rows[side]) for side in (OLD, NEW)]


def belongs_to_everybody(source: Source) -> set[str]:
    """Tables whose change may change the rows of any person."""
    return set(source.tables) - set(ownership(source))


def mappings_of(run: MapRun) -> list[CompiledMapping]:
    """The mappings that a run goes through: in an increment, not those of places whose sources have not changed."""
    owned = ownership(run.source)
    touched = {
        m.table.name
        for m in run.compiled.mappings
        if is_personal(m.table) or m.drives & set(owned) or any(run.has_changed(table) for table in m.reads)
    }
    return [m for m in run.compiled.mappings if m.table.name in touched]


def _asked_for_whole(run: MapRun) -> set[str]:
    """Tables that an increment reads whole: what belongs to everybody, what leads to a person, what makes places."""
    of_places = {table for m in mappings_of(run) if not is_personal(m.table) for table in m.reads}
    return belongs_to_everybody(run.source) | set(parents(ownership(run.source))) | of_places


def _open_whole(run: MapRun, side: str, tables: Iterable[str]) -> dict[str, str]:
    return {
        name: open_current(run.engine, run.lake, run.source, name, run.state(side, name), f"{side}_whole__{name}")
        for name in tables
    }


class _People:
    """Finds the persons whom an increment touches, and their rows on both sides."""

    def __init__(self, run: MapRun, whole: dict[str, dict[str, str]]) -> None:
        self.run, self.owned, self.rounds = run, ownership(run.source), 0
        self.logs = {name: self._open_logs(name) for name in self.owned}
        for side in (OLD, NEW):
            for parent in parents(self.owned):
                query = owner_query(run.source, self.owned, parent, whole[side].__getitem__, _owner_of(side))
                run.stage(_owner_of(side)(parent), query)
        for parent in parents(self.owned):  # whose persons are known whichever side is asked
            run.stage(
                _known(parent),
                f"SELECT o.id FROM {_owner_of(OLD)(parent)} AS o JOIN {_owner_of(NEW)(parent)} AS n ON n.id = o.id "
                "WHERE o.person IS NOT NULL AND n.person IS NOT NULL",
            )

    def _open_logs(self, name: str) -> dict[str, str]:
        """Side → view of the log that it is read from: one for both, unless the table was written anew in between."""
        run = self.run
        sides = (OLD, NEW) if run.state(OLD, name).since != run.state(NEW, name).since else (NEW,)
        logs = {
            side: open_log(run.engine, run.lake, run.source, name, run.state(side, name).version, f"{side}_log__{name}")
            for side in sides
        }
        return {OLD: logs[NEW], **logs}

    # The persons --------------------------------------------------------------------------------------------------

    def of_changed_rows(self) -> str:
        """Query of the persons to whom a changed row belongs, or belonged: ``person``."""
        assert self.run.base is not None
        found = []
        for name, own in self.owned.items():
            if not self.run.has_changed(name):
                continue
            later = f"{BATCH} > {self.run.base[name].batch}"
            logs = self.logs[name]
            changed = f"(SELECT * FROM {logs[NEW]} WHERE {later}) AS b"
            keys = f"(SELECT DISTINCT {ROW} AS _r FROM {logs[NEW]} WHERE {later}) AS c"
            found.append(self._named_by(own, changed, NEW))
            if logs[OLD] != logs[NEW]:
                found.append(self._named_by(own, changed, OLD))
            # Every version of the changed rows: a row that is gone may have gone with its stay.
            found.append(self._named_by(own, f"{logs[OLD]} AS b JOIN {keys} ON c._r = b.{ROW}", OLD))
        return " UNION ALL ".join(found or ["SELECT CAST(NULL AS bigint) AS person"])

    def _named_by(self, own: Ownership, rows: str, side: str) -> str:
        people = ", ".join(people_of(own, "b"))
        return f"SELECT explode(array({people})) AS person FROM {rows} {joins(own, 'b', _owner_of(side))}"

    def touch(self, people: str) -> None:
        self.rounds += 1
        view = f"{TOUCHED}_{self.rounds}"
        self.run.stage(view, f"SELECT DISTINCT person FROM ({people}) AS p WHERE person IS NOT NULL")
        self.run.engine.sql(f"SELECT person FROM {view}").createOrReplaceTempView(TOUCHED)
        for parent in parents(self.owned):
            owners = [f"SELECT id, person FROM {_owner_of(side)(parent)}" for side in (OLD, NEW)]
            query = f"SELECT o.id FROM ({' UNION '.join(owners)}) AS o JOIN {TOUCHED} AS t ON t.person = o.person"
            self.run.stage(f"{_of_touched(parent)}_{self.rounds}", f"SELECT DISTINCT id FROM ({query}) AS i")

    def touch_others(self, rows: dict[str, dict[str, str]]) -> bool:
        """Touch the persons whom rows of touched persons name too; whether there were any."""
        staged = [self._staged(name) for name in rows[NEW] if self.owned[name].ways > 1]
        if not staged:
            return False
        found = " UNION ALL ".join(f"SELECT explode({NAMED}) AS person FROM {view}" for view in staged)
        named = f"SELECT DISTINCT person FROM ({found}) AS p WHERE person IS NOT NULL"
        others = f"SELECT n.person FROM ({named}) AS n LEFT ANTI JOIN {TOUCHED} AS t ON t.person = n.person"
        if not self.run.engine.rows(f"SELECT count(*) AS n FROM ({others}) AS o")[0]["n"]:
            return False
        self.touch(f"SELECT person FROM {TOUCHED}_{self.rounds} UNION ALL {others}")
        return True

    # Their rows ---------------------------------------------------------------------------------------------------

    def rows(self) -> dict[str, dict[str, str]]:
        """Side → table → view of the rows of the touched persons, and of those that belong to nobody."""
        views: dict[str, dict[str, str]] = {OLD: {}, NEW: {}}
        self.run.at_once(partial(self.run.stage, self._staged(name), self._rows_query(name)) for name in self.owned)
        for name in self.owned:
            staged = self._staged(name)
            columns = row_columns(self.run.source.tables[name])
            for side in (OLD, NEW):
                views[side][name] = staged
                if self.run.has_changed(name):
                    views[side][name] = f"{side}_{staged}"
                    query = f"SELECT {columns} FROM {staged} WHERE {IN[side]}"
                    self.run.engine.sql(query).createOrReplaceTempView(views[side][name])
        return views

    def _staged(self, name: str) -> str:
        return f"rows_{self.rounds}__{name}"

    def _rows_query(self, name: str) -> str:
        """Rows that are current on a side and belong to a touched person, or to nobody, on a side."""
        own, table = self.owned[name], self.run.source.tables[name]
        states = {side: self.run.state(side, name) for side in (OLD, NEW)}
        logs = self.logs[name]
        if logs[OLD] == logs[NEW]:
            current = self._current(name, logs[NEW], states)
        else:
            current = " UNION ALL ".join(self._current(name, logs[side], {side: states[side]}) for side in states)
        named = [f"b.{column}" for column in own.direct]
        looked_up = ""
        for i, link in enumerate(own.links):
            for side in (OLD, NEW):
                alias = f"{side}{i}"
                looked_up += f" LEFT JOIN {_owner_of(side)(link.parent)} AS {alias} ON {alias}.id = b.{link.column}"
                named.append(f"{alias}.person")
        columns = row_columns(table, IN[OLD], IN[NEW], of="b")
        return f"SELECT {columns}, array({', '.join(named)}) AS {NAMED} FROM ({current}) AS b{looked_up}"

    def _current(self, name: str, log: str, states: dict[str, BronzeState]) -> str:
        """Rows of one log that are current on some of its sides, with a column for each side."""
        table = self.run.source.tables[name]
        rows = self._narrowed(self.owned[name], log)
        query = states_query(table, rows, log, {IN[side]: state for side, state in states.items()})
        columns = row_columns(table)
        sides = ", ".join(IN[side] if side in states else f"false AS {IN[side]}" for side in IN)
        return f"SELECT {columns}, {sides} FROM ({query}) AS c"

    def _narrowed(self, own: Ownership, log: str) -> str:
        """Versions of the rows that name a touched person in one way or another, or nobody; each version once.

        One join a way, so that the engine looks at the key of a row before it reads the rest of it.
        """
        ways = [(TOUCHED, "person", column) for column in own.direct]
        ways += [(f"{_of_touched(link.parent)}_{self.rounds}", "id", link.column) for link in own.links]
        parts = []
        for i, (view, key, column) in enumerate(ways):
            parts.append(f"JOIN {view} AS t ON t.{key} = b.{column} {_not_by(ways[:i])} WHERE NOT b.{GONE}")
        nobody = "".join(f" AND b.{column} IS NULL" for column in own.direct)
        unknown = [(_known(link.parent), "id", link.column) for link in own.links]
        parts.append(f"{_not_by([*ways[len(own.direct) :], *unknown])} WHERE NOT b.{GONE}{nobody}")
        return " UNION ALL ".join(f"SELECT b.* FROM {log} AS b {part}" for part in parts)


def _not_by(ways: list[tuple[str, str, str]]) -> str:
    return " ".join(
        f"LEFT ANTI JOIN {view} AS x{i} ON x{i}.{key} = b.{column}" for i, (view, key, column) in enumerate(ways)
    )


def _owner_of(side: str) -> Callable[[str], str]:
    return lambda parent: f"{side}_owner__{parent}"


def _known(parent: str) -> str:
    return f"known_owner__{parent}"


def _of_touched(parent: str) -> str:
    return f"of_touched__{parent}"
