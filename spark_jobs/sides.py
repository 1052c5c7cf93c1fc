"""The rows that a run maps: all, or those of the persons whom an increment touches, as they were and as they are.

An increment maps the rows of the touched persons twice, from the bronze that the tables were made of and from that of
today; what differs is what changes in the tables and in the accounts. Whatever else the mappings do, it cancels out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from etl.cdm_rows import Frame, hashed_key
from etl.compiler import CompiledSource
from etl.crosswalk import Crosswalk
from etl.declaration import Source
from etl.ownership import Ownership, joins, owner_query, ownership, parents, people_of
from omop.lake import Lake
from spark_jobs.bronze import BATCH, ROW, BronzeState, open_current, row_columns
from spark_jobs.delta import Buckets
from spark_jobs.engine import Engine

OLD, NEW = "old", "new"
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

    @property
    def buckets(self) -> Buckets:
        return Buckets(self.frame.first_bucket, self.frame.first_bucket + self.frame.buckets)

    @property
    def source(self) -> Source:
        return self.compiled.source

    def stage(self, view: str, query: str) -> str:
        self.engine.stage(view, query, self.staging / "map" / view)
        return view

    def has_changed(self, table: str) -> bool:
        """Whether an increment differs from its base in a table."""
        return self.base is None or self.bronze[table].batch != self.base[table].batch


@dataclass
class Side:
    """One state of bronze on its way into the CDM; views by name of table or mapping."""

    name: str
    whole: dict[str, str]  # all current rows of a bronze table
    rows: dict[str, str]  # those to map
    mapped: dict[str, str] = field(default_factory=dict)  # stage 1
    codes: str = ""
    cdm: dict[str, str] = field(default_factory=dict)  # stage 2
    known: dict[str, str] = field(default_factory=dict)  # entity table → ids that exist


def open_sides(run: MapRun) -> list[Side]:
    """The sides of a run, ready to be read: the new one, and before it the old one of an increment."""
    new = _whole(run, NEW, run.bronze)
    if run.base is None:
        return [Side(NEW, new, new)]
    whole = {OLD: _whole(run, OLD, run.base), NEW: new}
    owned = ownership(run.source)
    people = _People(run, owned, whole)
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


def _whole(run: MapRun, side: str, states: dict[str, BronzeState]) -> dict[str, str]:
    return {
        name: open_current(run.engine, run.lake, run.source, name, states[name], f"{side}_whole__{name}")
        for name in run.source.tables
    }


class _People:
    """Finds the persons whom an increment touches, and their rows on both sides."""

    def __init__(self, run: MapRun, owned: dict[str, Ownership], whole: dict[str, dict[str, str]]) -> None:
        self.run, self.owned, self.whole, self.rounds = run, owned, whole, 0
        for side in (OLD, NEW):
            for parent in parents(owned):
                query = owner_query(run.source, owned, parent, whole[side].__getitem__, self._owner_of(side))
                run.stage(self._owner_of(side)(parent), query)

    @staticmethod
    def _owner_of(side: str) -> Callable[[str], str]:
        return lambda parent: f"{side}_owner__{parent}"

    def of_changed_rows(self) -> str:
        """Query of the persons to whom a changed row belongs, or belonged: ``person``."""
        assert self.run.base is not None
        found = []
        for name, own in self.owned.items():
            if not self.run.has_changed(name):
                continue
            later = f"{BATCH} > {self.run.base[name].batch}"
            changed = f"(SELECT DISTINCT {ROW} AS _r FROM {self.whole[NEW][name]}_log WHERE {later})"
            for side in (OLD, NEW):
                rows = f"{self.whole[side][name]} AS b JOIN {changed} AS c ON c._r = b.{ROW}"
                found += [
                    f"SELECT {person} AS person FROM {rows} {joins(own, 'b', self._owner_of(side))}"
                    for person in people_of(own, "b")
                ]
        return " UNION ALL ".join(found or ["SELECT CAST(NULL AS bigint) AS person"])

    def touch(self, people: str) -> None:
        self.rounds += 1
        view = f"{TOUCHED}_{self.rounds}"
        self.run.stage(view, f"SELECT DISTINCT person FROM ({people}) AS p WHERE person IS NOT NULL")
        self.run.engine.sql(f"SELECT person FROM {view}").createOrReplaceTempView(TOUCHED)

    def touch_others(self, rows: dict[str, dict[str, str]]) -> bool:
        """Touch the persons whom rows of touched persons name too; whether there were any."""
        found = [
            f"SELECT _p{i} AS person FROM {view}"
            for views in rows.values()
            for name, view in views.items()
            for i in range(self.owned[name].ways)
            if self.owned[name].ways > 1
        ]
        if not found:
            return False
        named = (
            f"SELECT DISTINCT person FROM ({' UNION ALL '.join(dict.fromkeys(found))}) AS p WHERE person IS NOT NULL"
        )
        others = f"SELECT n.person FROM ({named}) AS n LEFT ANTI JOIN {TOUCHED} AS t ON t.person = n.person"
        if not self.run.engine.rows(f"SELECT count(*) AS n FROM ({others}) AS o")[0]["n"]:
            return False
        self.touch(f"SELECT person FROM {TOUCHED}_{self.rounds} UNION ALL {others}")
        return True

    def rows(self) -> dict[str, dict[str, str]]:
        """Side → table → view of the rows of the touched persons, and of those that belong to nobody."""
        views: dict[str, dict[str, str]] = {OLD: {}, NEW: {}}
        for name, own in self.owned.items():
            same = not any(self.run.has_changed(table) for table in (name, *self._ancestors(name)))
            for side in (OLD, NEW):
                view = f"{OLD if same else side}_rows_{self.rounds}__{name}"
                if not (same and side == NEW):
                    self.run.stage(view, self._rows_query(side, name, own))
                views[side][name] = view
        return views

    def _ancestors(self, name: str) -> set[str]:
        above = {link.parent for link in self.owned[name].links}
        return above.union(*(self._ancestors(parent) for parent in above)) if above else set()

    def _rows_query(self, side: str, name: str, own: Ownership) -> str:
        people = people_of(own, "b")
        columns = row_columns(self.run.source.tables[name], of="b")
        named = ", ".join(f"{person} AS _p{i}" for i, person in enumerate(people))
        touched = " ".join(f"LEFT JOIN {TOUCHED} AS t{i} ON t{i}.person = {p}" for i, p in enumerate(people))
        wanted = " OR ".join(f"t{i}.person IS NOT NULL" for i, _ in enumerate(people))
        nobody = " AND ".join(f"{person} IS NULL" for person in people)
        return (
            f"SELECT {columns}, {named} FROM {self.whole[side][name]} AS b {joins(own, 'b', self._owner_of(side))} "
            f"{touched} WHERE {wanted} OR ({nobody})"
        )
