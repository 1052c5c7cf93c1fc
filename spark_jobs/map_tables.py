"""Map: bronze tables of a source → CDM tables, every source row accounted for.

spark-submit passerelle/__main__.py map mimic_iv --workspace W --engine submitted
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from etl.cdm_rows import (
    TARGET,
    cdm_query,
    event_rows_query,
    events_of,
    ids_query,
    mapped_query,
    own_rows_query,
)
from etl.compiler import BRONZE, KEYS, ROW, CompiledMapping, is_personal
from etl.sql_text import literal
from passerelle.errors import MappingError
from spark_jobs.codes import open_vocabulary, resolve_codes
from spark_jobs.engine_errors import disk_is_full, without_values
from spark_jobs.map_accounts import Accounts, account
from spark_jobs.sides import EverythingChanges, MapRun, Side, mappings_of, open_sides
from spark_jobs.write_tables import MappedTable, write_all, write_changes


@dataclass
class MapOutcome:
    """What a map run did with every row."""

    tables: list[MappedTable] = field(default_factory=list)
    accounts: Accounts = field(default_factory=Accounts)  # of the rows that were mapped
    replaced: Accounts | None = None  # of the same rows as they were; None: everything was mapped


def map_source(run: MapRun, progress: Callable[[str], None] = lambda _: None) -> MapOutcome:
    """Map every table of a source, or what an increment touches. Intermediate results are written, never cached.

    Raises: EverythingChanges: the increment touches what belongs to everybody; nothing was written.
    """
    sides = open_sides(run)
    open_vocabulary(run)
    progress("reading")
    run.at_once(partial(_read, run, side, mapping) for side in sides for mapping in mappings_of(run))
    progress("resolving codes")
    resolve_codes(run, sides)
    run.at_once(partial(_map, run, side, progress) for side in sides)
    old, new = sides[0], sides[-1]
    targets = _counts(run, new)
    accounts = run.at_once(partial(account, run, side) for side in sides)
    if run.base is None:
        _remember_ids(run, new)
        return MapOutcome(write_all(run, new, targets, progress), accounts[0])
    _refuse_other_places(run, old, new)
    _remember_ids(run, new)
    return MapOutcome(write_changes(run, old, new, progress), accounts[1], accounts[0])


def _read(run: MapRun, side: Side, mapping: CompiledMapping) -> None:
    """Stage 1 of a mapping. Places (wards, practitioners) are made of all rows, whoever they belong to."""
    views = side.rows if is_personal(mapping.table) else side.whole
    query = mapped_query(mapping, run.frame, events_of(run.compiled))
    query = re.sub(rf"\b{BRONZE}__(\w+)", lambda match: views[match[1]], query)
    with _naming(mapping):
        side.mapped[mapping.name] = run.stage_once(f"{side.name}_mapped__{_word(mapping.name)}", query)


def _map(run: MapRun, side: Side, progress: Callable[[str], None]) -> None:
    """Stage 2 of every mapping, in their order: a row may point to those of a mapping before."""
    _known_before(run, side)
    for mapping in mappings_of(run):
        progress(f"mapping {mapping.name}")
        _know_itself(run, mapping, side)
        query = cdm_query(mapping, run.frame, side.mapped[mapping.name], side.known, _pointed_at(run, mapping, side))
        side.cdm[mapping.name] = run.stage_once(f"{side.name}_cdm__{_word(mapping.name)}", query)
        _make_known(run, mapping, side)


def _word(name: str) -> str:
    return name.replace(".", "__")


def _known_before(run: MapRun, side: Side) -> None:
    """Places that this increment does not make again are those of the lake."""
    made = {mapping.table.name for mapping in mappings_of(run)}
    for mapping in run.compiled.mappings:
        entity = mapping.table.name
        if mapping.is_entity and entity not in made and entity not in side.known:
            run.engine.view_of_delta(f"lake_{entity}", run.lake.omop(entity))
            ids = f"SELECT {mapping.table.primary_key} AS id FROM lake_{entity} WHERE {run.buckets.predicate}"
            side.known[entity] = run.stage_once(f"{side.name}_known__{entity}", ids)


def _refuse_other_places(run: MapRun, old: Side, new: Side) -> None:
    """A place that is new, or gone, may be named by rows of persons whom nobody touched."""
    for mapping in mappings_of(run):
        entity = mapping.table.name
        if mapping.is_entity and not is_personal(mapping.table):
            differ = " UNION ALL ".join(
                f"SELECT a.id FROM {a} AS a LEFT ANTI JOIN {b} AS b ON b.id = a.id"
                for a, b in ((old.known[entity], new.known[entity]), (new.known[entity], old.known[entity]))
            )
            if run.engine.rows(f"SELECT count(*) AS n FROM ({differ}) AS d")[0]["n"]:
                raise EverythingChanges(f"{entity} has other rows")


@contextmanager
def _naming(mapping: CompiledMapping) -> Iterator[None]:
    """An error of the engine in a mapping's own SQL names the file, not the value that it tripped over."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        if disk_is_full(error):
            raise
        raise MappingError(
            f"{mapping.name}.sql cannot run: {without_values(error)}",
            looked=f"the rows of {', '.join(sorted(mapping.reads))}",
            do="where a value can be bad write try_cast or try_to_timestamp, and say what becomes of the row",
        ) from error


# --- Keys ----------------------------------------------------------------------------------------------------------


def _counts(run: MapRun, side: Side) -> dict[str, dict[str, int]]:
    """Target table → mapping → rows; refuses a mapping that gives one id twice."""
    parts = []
    for mapping in mappings_of(run):
        key = mapping.table.primary_key or ("person_id" if mapping.table.name == "death" else None)
        distinct = f"count(DISTINCT {key})" if key else "count(*)"
        parts.append(
            f"SELECT {literal(mapping.name)} AS mapping, {TARGET} AS target, count(*) AS n, {distinct} AS ids "
            f"FROM {side.cdm[mapping.name]} WHERE {TARGET} IS NOT NULL GROUP BY {TARGET}"
        )
    targets: dict[str, dict[str, int]] = {}
    for row in run.rows_of(parts):
        if row["n"] != row["ids"]:
            raise MappingError(
                f"{row['mapping']}.sql gives the same key for {row['n'] - row['ids']} row(s) more than once",
                looked=f"{row['n']} rows, {row['ids']} keys, for {row['target']}",
                do="give a _key that makes each row itself, or say why a row is set aside (_quarantine, _merge)",
            )
        targets.setdefault(row["target"], {})[row["mapping"]] = row["n"]
    _refuse_keys_of_several(run, side)
    return targets


def _refuse_keys_of_several(run: MapRun, side: Side) -> None:
    """The mappings of a table that others point to share its keys: none may give one of another."""
    tables = {mapping.table.name for mapping in mappings_of(run) if mapping.is_entity}
    several = {name: parts for name in sorted(tables) if len(parts := run.compiled.of(name)) > 1}
    counts = [
        f"SELECT {literal(name)} AS entity, count(*) AS n, count(DISTINCT id) AS ids FROM {side.known[name]}"
        for name in several
    ]
    for row in run.engine.rows(" UNION ALL ".join(counts)) if counts else ():
        if row["n"] != row["ids"]:
            names = " and ".join(f"{part.name}.sql" for part in several[row["entity"]])
            raise MappingError(
                f"{names} give {row['n'] - row['ids']} key(s) twice",
                looked=f"{row['n']} rows, {row['ids']} keys, for {row['entity']}",
                do="the parts of a table that others point to share their keys: begin each _key with the part's name",
            )


def _know_itself(run: MapRun, mapping: CompiledMapping, side: Side) -> None:
    """A stay may follow a stay: while an entity table is made, the ids that it gives are those that it may point to."""
    entity = mapping.table.name
    if mapping.is_entity and entity not in side.known and any(KEYS[key][1] == entity for key in mapping.keys):
        parts = [side.mapped[part.name] for part in run.compiled.of(entity)]
        side.known[entity] = run.stage_once(f"{side.name}_own__{entity}", ids_query(parts))


def _pointed_at(run: MapRun, mapping: CompiledMapping, side: Side) -> dict[str, str]:
    """Event key → the rows that it may point to, where they landed: a row set aside is pointed at by nothing."""
    by_name = {other.name: other for other in run.compiled.mappings}
    return {
        key: f"({event_rows_query(by_name[name], side.cdm[name])})"
        if name in side.cdm
        else f"({own_rows_query(mapping, side.mapped[name])})"
        for key, name in mapping.events.items()
    }


def _make_known(run: MapRun, mapping: CompiledMapping, side: Side) -> None:
    """After the last part of an entity table: the ids that exist, so that no row points to nothing."""
    entity = mapping.table.name
    parts = run.compiled.of(entity)
    if not mapping.is_entity or mapping.name != parts[-1].name:
        return
    key = mapping.table.primary_key
    ids = " UNION ALL ".join(
        f"SELECT {key} AS id FROM {side.cdm[p.name]} WHERE {TARGET} = {literal(entity)}" for p in parts
    )
    side.known[entity] = run.stage_once(f"{side.name}_known__{entity}", ids)


def _remember_ids(run: MapRun, side: Side) -> None:
    """Put the ids of persons and stays in the crosswalk, before the rows that bear them are committed."""
    for entity, kind in (("person", "person"), ("visit_occurrence", "stay")):
        for mapping in run.compiled.of(entity):
            if len(mapping.drives) != 1 or mapping.name not in side.cdm:
                continue
            (driving,) = mapping.drives
            declared = run.source.tables[driving]
            hashed = [c for c in declared.key if declared.identity_columns.get(c) == kind]
            if not hashed:
                continue
            pairs = run.engine.sql(
                f"SELECT b.{hashed[0]} AS hash, CAST(s.{mapping.table.primary_key} AS string) AS identifier "
                f"FROM {side.cdm[mapping.name]} AS s JOIN {side.rows[driving]} AS b ON b.{ROW} = s.{ROW}"
            ).toArrow()
            n = pairs.num_rows
            rows = pa.table(
                {
                    "source": pa.repeat(run.frame.source, n),
                    "kind": pa.repeat(kind, n),
                    "hash": pairs["hash"],
                    "identifier": pairs["identifier"],
                    "attribute": pa.repeat(str(mapping.table.primary_key), n),
                }
            )
            run.crosswalk.merge(run.frame.source, rows)
