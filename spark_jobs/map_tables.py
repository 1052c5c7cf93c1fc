"""Map: bronze tables of a source → CDM tables, every source row accounted for.

spark-submit passerelle/__main__.py map mimic_iv --workspace W --engine submitted
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from etl.cdm_rows import (
    OUTCOME,
    RULE,
    TARGET,
    Frame,
    cdm_query,
    event_rows_query,
    events_of,
    ids_query,
    mapped_query,
    own_rows_query,
    row_key,
    select_into,
    table_columns,
)
from etl.compiler import KEYS, ROW, SOURCE_TABLE, CompiledMapping, CompiledSource, bronze_view
from etl.concept_maps import read_concept_maps
from etl.crosswalk import Crosswalk
from etl.resolution import (
    GENERALISED,
    RESERVATIONS,
    candidates_query,
    distinct_codes_query,
    gaps_query,
    map_order,
    maps_to_query,
    parents_query,
    resolved_query,
    slot_codes_query,
    vocabulary_query,
)
from etl.sql_text import literal
from omop.cdm import cdm_tables
from omop.cdm import table as cdm_table
from omop.lake import Lake, is_delta
from passerelle.errors import MappingError, UnbalancedRun
from spark_jobs.delta import Buckets, holds_rows, replace_buckets
from spark_jobs.derive_eras import ERA_TABLES
from spark_jobs.derive_periods import DERIVED
from spark_jobs.engine import Engine, no_row
from spark_jobs.engine_errors import disk_is_full, without_values
from spark_jobs.load_vocabulary import LOADED
from spark_jobs.ops import QUARANTINE_SAMPLE

# When several mappings read one source row, the best outcome counts.
PRIORITY = ("mapped", "routed", "merged", "excluded", "quarantined")
VOCABULARY_TABLES = LOADED
PROVENANCE = {
    "target_table": "string",
    "target_id": "bigint",
    "source_table": "string",
    "source_row": "bigint",
    "mapping": "string",
    "person_bucket": "int",
}


@dataclass
class MappedTable:
    """One CDM table as this run wrote it."""

    table: str
    rows: int
    version: int
    seconds: float


@dataclass
class MapOutcome:
    """What a map run did with every row."""

    tables: list[MappedTable] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)  # source_table, outcome, rule, rows
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)  # vocabulary → how often its codes occur


@dataclass(frozen=True)
class MapRun:
    """Everything that a map run needs."""

    engine: Engine
    lake: Lake
    staging: Path
    compiled: CompiledSource
    frame: Frame
    bronze_versions: dict[str, int]
    crosswalk: Crosswalk
    with_vocabulary: bool = True

    @property
    def buckets(self) -> Buckets:
        return Buckets(self.frame.first_bucket, self.frame.first_bucket + self.frame.buckets)


def map_source(run: MapRun, progress: Callable[[str], None] = lambda _: None) -> MapOutcome:
    """Map every table of a source. Intermediate results are written, never cached."""
    open_bronze(run)
    open_vocabulary(run)
    views = {}
    for mapping in run.compiled.mappings:
        progress(f"reading {mapping.name}")
        query = mapped_query(mapping, run.frame, events_of(run.compiled))
        with _naming(mapping):
            views[mapping.name] = _stage(run, "mapped", mapping.name, query)
    progress("resolving codes")
    outcome = MapOutcome(gaps=resolve_codes(run, views))
    outcome.codes = _code_counts(run, outcome.gaps)
    staged: dict[str, str] = {}
    targets: dict[str, dict[str, int]] = defaultdict(dict)
    known: dict[str, str] = {}
    for mapping in run.compiled.mappings:
        progress(f"mapping {mapping.name}")
        _know_itself(run, mapping, views, known)
        events = _pointed_at(run, mapping, views, staged)
        staged[mapping.name] = _stage(
            run, "cdm", mapping.name, cdm_query(mapping, run.frame, views[mapping.name], known, events)
        )
        for target, rows in _counts(run, mapping, staged[mapping.name]).items():
            targets[target][mapping.name] = rows
        _make_known(run, mapping, staged, known)
    _remember_ids(run, views, staged)
    outcome.ledger, outcome.quarantine = _account(run, staged)
    for target in sorted({mapping.table.name for mapping in run.compiled.mappings} | set(targets) | _left_behind(run)):
        progress(f"writing {target}")
        outcome.tables.append(_write(run, target, staged, targets.get(target, {})))
    progress("writing provenance")
    _write_provenance(run, staged, targets)
    return outcome


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


def open_bronze(run: MapRun) -> None:
    """Make the landed tables readable, each at the version that this run landed."""
    for name in run.compiled.source.tables:
        path = run.lake.bronze(run.compiled.source.name, name)
        run.engine.view_of_delta(bronze_view(name), path, run.bronze_versions.get(name))


def _stage(run: MapRun, step: str, name: str, query: str) -> str:
    view = f"{step}__{name.replace('.', '__')}"
    run.engine.stage(view, query, run.staging / step / name)
    return view


# --- Codes ---------------------------------------------------------------------------------------------------------


def open_vocabulary(run: MapRun) -> None:
    """Make the vocabulary readable; without one every view is empty, and every code a gap."""
    for name in VOCABULARY_TABLES:
        path = run.lake.omop(name)
        if run.with_vocabulary and is_delta(path):
            run.engine.view_of_delta(name, path)
        else:
            run.engine.empty_view(name, {column.name: column.type for column in cdm_table(name).columns})
    maps = read_concept_maps(run.compiled.folder)
    run.engine.view_of_arrow("local_map", maps)
    order = map_order(run.compiled.source) + [(v, "local", 0) for v in set(maps["vocabulary"].to_pylist())]
    run.engine.view_of_arrow(
        "map_order",
        pa.table(
            {
                "vocabulary": pa.array([o[0] for o in order], pa.string()),
                "map": pa.array([o[1] if o[1] != "local" else f"local:{o[0]}" for o in order], pa.string()),
                "priority": pa.array([o[2] for o in order], pa.int64()),
            }
        ),
    )
    run.engine.sql(
        """
        SELECT source_vocabulary_id AS map, source_code, source_concept_id, target_concept_id
        FROM source_to_concept_map WHERE invalid_reason IS NULL
        UNION ALL
        SELECT concat('local:', vocabulary), source_code, source_concept_id, target_concept_id FROM local_map
        """
    ).createOrReplaceTempView("code_map")


def resolve_codes(run: MapRun, views: dict[str, str]) -> list[dict[str, Any]]:
    """Fill the view ``resolved``; returns the mapping gaps."""
    engine, source = run.engine, run.compiled.source
    branches = [slot_codes_query(m, slot, views[m.name]) for m in run.compiled.mappings for slot in m.slots]
    nothing = """
        SELECT CAST(NULL AS bigint) AS h, 1 AS pos, '' AS vocabulary, '' AS code, '' AS label, '' AS mapping,
            '' AS field, CAST(0 AS bigint) AS n
        FROM (SELECT 1 AS one) AS nothing WHERE one = 0
    """
    codes = _stage(run, "codes", "all", " UNION ALL ".join(branches or [nothing]))
    distinct = _stage(run, "codes", "distinct", distinct_codes_query(source, codes))
    parents = parents_query(source, distinct)
    if parents is not None:
        parents = _stage(run, "codes", "parents", parents)
    engine.sql(
        f"""
        SELECT c.concept_id, c.concept_code, c.vocabulary_id, c.invalid_reason FROM concept AS c
        JOIN (SELECT DISTINCT omop_vocabulary FROM {distinct}) AS u ON u.omop_vocabulary = c.vocabulary_id
        """
    ).createOrReplaceTempView("used_concept")
    _stage_as(run, "known_code", vocabulary_query(source, "used_concept"))
    _stage_as(run, "maps_to", maps_to_query("concept", "concept_relationship"))
    candidates = _stage(run, "codes", "candidates", candidates_query(distinct, parents))
    _stage_as(run, "resolved", resolved_query(candidates))
    rows = engine.rows(gaps_query(codes, "resolved"))
    return sorted(rows, key=lambda gap: (-gap["rows"], gap["mapping"], gap["vocabulary"] or "", gap["code"]))


def _code_counts(run: MapRun, gaps: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each vocabulary: rows and distinct codes, rows that only the parent code maps, rows without a concept."""
    counted = run.engine.rows(
        "SELECT vocabulary, sum(n) AS n, count(DISTINCT code) AS codes FROM codes__all "
        "WHERE pos = 1 GROUP BY vocabulary"
    )
    declared = run.compiled.source.vocabularies

    def facts(row: dict[str, Any]) -> dict[str, Any]:
        name, here = row["vocabulary"], [gap for gap in gaps if gap["vocabulary"] == row["vocabulary"]]
        return {
            "vocabulary_id": (declared[name].vocabulary_id if name in declared else None) or name,
            "rows": row["n"],
            "codes": row["codes"],
            "generalised": sum(gap["rows"] for gap in here if gap["reason"] == GENERALISED),
            "without_concept": sum(gap["rows"] for gap in here if gap["reason"] not in RESERVATIONS),
        }

    return {row["vocabulary"] or "(none)": facts(row) for row in counted}


def _stage_as(run: MapRun, name: str, query: str) -> None:
    run.engine.stage(name, query, run.staging / "codes" / name)


# --- Keys ----------------------------------------------------------------------------------------------------------


def _counts(run: MapRun, mapping: CompiledMapping, view: str) -> dict[str, int]:
    """Rows for each target table; refuses a mapping that gives one id twice."""
    key = mapping.table.primary_key or ("person_id" if mapping.table.name == "death" else None)
    distinct = f"count(DISTINCT {key})" if key else "count(*)"
    rows = run.engine.rows(
        f"SELECT {TARGET} AS target, count(*) AS n, {distinct} AS ids FROM {view} "
        f"WHERE {TARGET} IS NOT NULL GROUP BY {TARGET}"
    )
    for row in rows:
        if row["n"] != row["ids"]:
            raise MappingError(
                f"{mapping.name}.sql gives the same key for {row['n'] - row['ids']} row(s) more than once",
                looked=f"{row['n']} rows, {row['ids']} keys, for {row['target']}",
                do="give a _key that makes each row itself, or say why a row is set aside (_quarantine, _merge)",
            )
    return {row["target"]: row["n"] for row in rows}


def _know_itself(run: MapRun, mapping: CompiledMapping, views: dict[str, str], known: dict[str, str]) -> None:
    """A stay may follow a stay: while an entity table is made, the ids that it gives are those that it may point to."""
    entity = mapping.table.name
    if mapping.is_entity and entity not in known and any(KEYS[key][1] == entity for key in mapping.keys):
        parts = [views[part.name] for part in run.compiled.of(entity)]
        known[entity] = _stage(run, "own", entity, ids_query(parts))


def _pointed_at(run: MapRun, mapping: CompiledMapping, views: dict[str, str], staged: dict[str, str]) -> dict[str, str]:
    """Event key → the rows that it may point to, where they landed: a row set aside is pointed at by nothing."""
    by_name = {other.name: other for other in run.compiled.mappings}
    return {
        key: f"({event_rows_query(by_name[name], staged[name])})"
        if name in staged
        else f"({own_rows_query(mapping, views[name])})"
        for key, name in mapping.events.items()
    }


def _make_known(run: MapRun, mapping: CompiledMapping, staged: dict[str, str], known: dict[str, str]) -> None:
    """After the last part of an entity table: the ids that exist, so that no row points to nothing."""
    entity = mapping.table.name
    parts = run.compiled.of(entity)
    if not mapping.is_entity or mapping.name != parts[-1].name:
        return
    key = mapping.table.primary_key
    ids = " UNION ALL ".join(
        f"SELECT {key} AS id FROM {staged[p.name]} WHERE {TARGET} = {literal(entity)}" for p in parts
    )
    known[entity] = _stage(run, "known", entity, ids)
    counted = run.engine.rows(f"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM {known[entity]}")[0]
    if counted["n"] != counted["ids"]:
        raise MappingError(
            f"{' and '.join(f'{p.name}.sql' for p in parts)} give {counted['n'] - counted['ids']} key(s) twice",
            looked=f"{counted['n']} rows, {counted['ids']} keys, for {entity}",
            do="the parts of a table that others point to share their keys: begin each _key with the part's name",
        )


def _remember_ids(run: MapRun, views: dict[str, str], staged: dict[str, str]) -> None:
    """Put the ids of persons and stays in the crosswalk, before the rows that bear them are committed."""
    for entity, kind in (("person", "person"), ("visit_occurrence", "stay")):
        for mapping in run.compiled.of(entity):
            if len(mapping.drives) != 1:
                continue
            (driving,) = mapping.drives
            declared = run.compiled.source.tables[driving]
            hashed = [c for c in declared.key if declared.identity_columns.get(c) == kind]
            if not hashed:
                continue
            pairs = run.engine.sql(
                f"SELECT b.{hashed[0]} AS hash, CAST(s.{mapping.table.primary_key} AS string) AS identifier "
                f"FROM {staged[mapping.name]} AS s JOIN {bronze_view(driving)} AS b ON b.{ROW} = s.{ROW}"
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


# --- Accounts ------------------------------------------------------------------------------------------------------


def _account(run: MapRun, staged: dict[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One outcome for each bronze row; refuses a run in which a row has none."""
    ledger: list[dict[str, Any]] = []
    quarantine: list[dict[str, Any]] = []
    for name, table in run.compiled.source.tables.items():
        if table.role == "reference":
            rows = run.engine.rows(f"SELECT count(*) AS n FROM {bronze_view(name)}")[0]["n"]
            ledger.append({"source_table": name, "outcome": "excluded", "rule": "reference_table", "rows": rows})
            continue
        ledger += _account_table(run, name, staged)
        quarantine += _quarantined(run, name, staged)
    return ledger, quarantine


def _account_table(run: MapRun, name: str, staged: dict[str, str]) -> Iterator[dict[str, Any]]:
    rank = " ".join(f"WHEN {literal(outcome)} THEN {i}" for i, outcome in enumerate(PRIORITY))
    branches = " UNION ALL ".join(
        f"SELECT {ROW}, CASE {OUTCOME} {rank} END AS rank, {RULE} AS rule FROM {staged[m.name]} "
        f"WHERE {SOURCE_TABLE} = {literal(name)}"
        for m in run.compiled.mappings
        if name in m.drives
    )
    best = f"""
        SELECT {ROW}, min(concat(CAST(rank AS string), ':', coalesce(rule, ''))) AS best
        FROM ({branches}) AS o GROUP BY {ROW}
    """
    counted = run.engine.rows(
        f"""
        SELECT x.best, count(*) AS n FROM {bronze_view(name)} AS b
        LEFT JOIN ({best}) AS x ON x.{ROW} = b.{ROW} GROUP BY x.best
        """
    )
    lost = sum(row["n"] for row in counted if row["best"] is None)
    if lost:
        parts = ", ".join(m.name for m in run.compiled.mappings if name in m.drives)
        raise UnbalancedRun(
            f"{lost} row(s) of {name} are neither mapped nor accounted for",
            looked=f"the mappings that read it row by row: {parts}",
            do="a WHERE or an INNER JOIN hides them: give _exclude, _merge or _quarantine instead",
        )
    for row in sorted(counted, key=lambda r: r["best"]):
        rank_text, _, rule = row["best"].partition(":")
        yield {"source_table": name, "outcome": PRIORITY[int(rank_text)], "rule": rule or None, "rows": row["n"]}


def _quarantined(run: MapRun, name: str, staged: dict[str, str]) -> Iterator[dict[str, Any]]:
    for mapping in run.compiled.mappings:
        if name not in mapping.drives:
            continue
        rows = run.engine.rows(
            f"SELECT q.{ROW} AS key_hash, b._line AS line, q.{RULE} AS reason FROM {staged[mapping.name]} AS q "
            f"JOIN {bronze_view(name)} AS b ON b.{ROW} = q.{ROW} "
            f"WHERE q.{OUTCOME} = 'quarantined' AND q.{SOURCE_TABLE} = {literal(name)} "
            f"ORDER BY b._line, q.{ROW} LIMIT {QUARANTINE_SAMPLE}"
        )
        for row in rows:
            yield {"source_table": name, "step": mapping.name, "whole_row": True, **row}


# --- Tables --------------------------------------------------------------------------------------------------------


def _left_behind(run: MapRun) -> set[str]:
    """Tables with rows of this source from an earlier run: one that gets none today must lose them."""
    written = {name for name in cdm_tables() if name not in (*DERIVED, *ERA_TABLES, *VOCABULARY_TABLES)}
    return {name for name in written if holds_rows(run.lake.omop(name), run.buckets)}


def _write(run: MapRun, target: str, staged: dict[str, str], counts: dict[str, int]) -> MappedTable:
    started = time.monotonic()
    table = cdm_table(target)
    by_name = {mapping.name: mapping for mapping in run.compiled.mappings}
    columns, rows = table_columns(table), sum(counts.values())
    parts = [select_into(table, by_name[name], staged[name]) for name in sorted(counts)]
    # Nothing this time: the table exists, and is empty for this source.
    query = " UNION ALL ".join(parts) if parts else no_row(columns)
    receipt = replace_buckets(run.engine.sql(query), run.lake.omop(target), columns, rows, run.buckets)
    return MappedTable(target, rows, receipt.version, time.monotonic() - started)


def _write_provenance(run: MapRun, staged: dict[str, str], targets: dict[str, dict[str, int]]) -> None:
    """The sidecar that leads from a CDM row to its source row."""
    traced = {m.name: key for m in run.compiled.mappings if m.drives and (key := row_key(m.table))}
    branches = [
        f"""
        SELECT {TARGET} AS target_table, {key} AS target_id, {SOURCE_TABLE} AS source_table, {ROW} AS source_row,
            {literal(name)} AS mapping, person_bucket
        FROM {staged[name]} WHERE {TARGET} IS NOT NULL
        """
        for name, key in traced.items()
    ]
    rows = sum(n for parts in targets.values() for name, n in parts.items() if name in traced)
    replace_buckets(
        run.engine.sql(" UNION ALL ".join(branches)), run.lake.ops("provenance"), PROVENANCE, rows, run.buckets
    )
