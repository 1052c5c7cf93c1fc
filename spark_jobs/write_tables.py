"""Write CDM rows into the lake: every row of a source, or the difference that an increment makes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from etl.cdm_rows import TARGET, row_key, select_into, table_columns
from etl.compiler import ROW, SOURCE_TABLE
from etl.sql_text import literal
from omop.cdm import cdm_tables
from omop.cdm import table as cdm_table
from omop.lake import is_delta
from spark_jobs.bronze import content_hash
from spark_jobs.codes import VOCABULARY_TABLES
from spark_jobs.delta import BUCKET, Buckets, Receipt, append, file_count, holds_rows, replace_buckets, rows_in
from spark_jobs.derive_eras import ERA_TABLES
from spark_jobs.derive_periods import DERIVED
from spark_jobs.engine import no_row
from spark_jobs.sides import MapRun, Side

PROVENANCE = {
    "target_table": "string",
    "target_id": "bigint",
    "source_table": "string",
    "source_row": "bigint",
    "mapping": "string",
    "person_bucket": "int",
}
ADDED = "_added"
FILES = 24  # of a bucket, before an increment writes it anew instead of adding to it


@dataclass
class MappedTable:
    """One CDM table as this run wrote it."""

    table: str
    rows: int  # of this source
    version: int
    seconds: float


# --- Everything ----------------------------------------------------------------------------------------------------


def write_all(
    run: MapRun, side: Side, targets: dict[str, dict[str, int]], progress: Callable[[str], None]
) -> list[MappedTable]:
    """Replace every row of the source.

    Args:
        targets: CDM table → mapping → rows meant.
    """

    def write(target: str) -> MappedTable:
        progress(f"writing {target}")
        return _write_whole(run, side, target, targets.get(target, {}))

    mapped = {mapping.table.name for mapping in run.compiled.mappings}
    written = run.at_once(partial(write, name) for name in sorted(mapped | set(targets) | _left_behind(run)))
    progress("writing provenance")
    traced = _traced(run)
    rows = sum(n for parts in targets.values() for name, n in parts.items() if name in traced)
    query = " UNION ALL ".join(provenance_rows(run, side))
    replace_buckets(run.engine.sql(query), run.lake.ops("provenance"), PROVENANCE, rows, run.buckets)
    return written


def _write_whole(run: MapRun, side: Side, target: str, parts: dict[str, int]) -> MappedTable:
    started = time.monotonic()
    columns, rows = table_columns(cdm_table(target)), sum(parts.values())
    # Nothing this time: the table exists, and is empty for this source.
    query = " UNION ALL ".join(cdm_rows(run, side, target, set(parts))) or no_row(columns)
    receipt = replace_buckets(run.engine.sql(query), run.lake.omop(target), columns, rows, run.buckets)
    return MappedTable(target, rows, receipt.version, time.monotonic() - started)


def _left_behind(run: MapRun) -> set[str]:
    """Tables with rows of this source from an earlier run: one that gets none today must lose them."""
    written = {name for name in cdm_tables() if name not in (*DERIVED, *ERA_TABLES, *VOCABULARY_TABLES)}
    return {name for name in written if holds_rows(run.lake.omop(name), run.buckets)}


def cdm_rows(run: MapRun, side: Side, target: str, names: set[str]) -> list[str]:
    """Queries of the rows that some mappings give for one CDM table, one each."""
    table = cdm_table(target)
    mappings = [m for m in run.compiled.mappings if m.name in names]
    return [select_into(table, m, side.cdm[m.name]) for m in sorted(mappings, key=lambda m: m.name)]


def _traced(run: MapRun) -> dict[str, str]:
    return {m.name: key for m in run.compiled.mappings if m.drives and (key := row_key(m.table))}


def provenance_rows(run: MapRun, side: Side) -> list[str]:
    """Queries of the sidecar that leads from a CDM row to its source row, one a mapping."""
    return [
        f"""
        SELECT {TARGET} AS target_table, {key} AS target_id, {SOURCE_TABLE} AS source_table, {ROW} AS source_row,
            {literal(name)} AS mapping, person_bucket
        FROM {side.cdm[name]} WHERE {TARGET} IS NOT NULL
        """
        for name, key in _traced(run).items()
        if name in side.cdm
    ]


# --- The difference ------------------------------------------------------------------------------------------------


def write_changes(run: MapRun, old: Side, new: Side, progress: Callable[[str], None]) -> list[MappedTable]:
    """Take the rows away that an increment does not give again, add those that it gives anew; touch nothing else."""
    differences: list[Difference] = []
    for target, names in _targets(run, old, new).items():
        before, after = _that_differ(*(cdm_rows(run, side, target, names) for side in (old, new)))
        key, columns = row_key(cdm_table(target)), table_columns(cdm_table(target))
        differences.append(Difference(f"omop.{target}", target, columns, key, before, after))
    before, after = _that_differ(*(provenance_rows(run, side) for side in (old, new)))
    differences.append(Difference("ops.provenance", None, PROVENANCE, None, before, after))
    return write_differences(run, [d for d in differences if d.before], progress)


def _that_differ(before: list[str], after: list[str]) -> tuple[str, str]:
    """Queries of all rows but those that both sides ask for alike; empty when there are no others."""
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    return " UNION ALL ".join(old for old, _ in pairs), " UNION ALL ".join(new for _, new in pairs)


def _targets(run: MapRun, *sides: Side) -> dict[str, set[str]]:
    """CDM table → mappings that have rows for it on some side."""
    parts = [
        f"SELECT DISTINCT {literal(name)} AS mapping, {TARGET} AS target FROM {view} WHERE {TARGET} IS NOT NULL"
        for side in sides
        for name, view in side.cdm.items()
    ]
    targets: dict[str, set[str]] = {}
    for row in run.engine.rows(" UNION ALL ".join(parts)):
        targets.setdefault(row["target"], set()).add(row["mapping"])
    return dict(sorted(targets.items()))


@dataclass(frozen=True)
class Difference:
    """The rows of one table of the lake that an increment makes again, as they were and as they are."""

    name: str  # omop.measurement, ops.provenance
    target: str | None  # CDM table
    columns: dict[str, str]
    key: str | None  # column that makes a row itself; None: its whole content does
    before: str
    after: str

    @property
    def view(self) -> str:
        return f"difference__{self.name.replace('.', '_')}"

    def query(self) -> str:
        """Rows to add and rows to take away: the columns, ``_h`` (content), ``_added``. Each side is read once."""
        content = content_hash(*self.columns)
        columns = ", ".join(self.columns)
        before, after = (
            f"(SELECT {columns}, {content} AS _h FROM ({query}) AS r)" for query in (self.before, self.after)
        )
        same = "o._h = n._h" + (f" AND o.{self.key} = n.{self.key}" if self.key else "")
        cells = ", ".join(f"coalesce(n.{column}, o.{column}) AS {column}" for column in (*self.columns, "_h"))
        return (
            f"SELECT {cells}, n._h IS NOT NULL AS {ADDED} FROM {after} AS n FULL OUTER JOIN {before} AS o ON {same} "
            "WHERE n._h IS NULL OR o._h IS NULL"
        )


def write_differences(
    run: MapRun, differences: list[Difference], progress: Callable[[str], None] = lambda _: None
) -> list[MappedTable]:
    """Write each difference in one commit; a table in which nothing differs is not touched."""
    if not differences:
        return []
    run.at_once(partial(run.stage, difference.view, difference.query()) for difference in differences)
    counted: dict[str, dict[int, list[int]]] = {}
    parts = [
        f"SELECT {literal(d.name)} AS name, {BUCKET} AS bucket, count(*) AS n, "
        f"sum(CASE WHEN {ADDED} THEN 1 ELSE 0 END) AS added FROM {d.view} GROUP BY {BUCKET}"
        for d in differences
    ]
    for row in run.engine.rows(" UNION ALL ".join(parts)):
        counted.setdefault(row["name"], {})[row["bucket"]] = [row["added"], row["n"] - row["added"]]

    differing = [d for d in differences if d.name in counted]
    before = {d.name: rows_in(_path(run, d), run.buckets) for d in differing}

    def write(difference: Difference) -> MappedTable | None:
        started = time.monotonic()
        progress(f"writing {difference.name}")
        buckets = counted[difference.name]
        rows = before[difference.name] + sum(added - gone for added, gone in buckets.values())
        receipt = _write(run, difference, _path(run, difference), buckets)
        seconds = time.monotonic() - started
        return MappedTable(difference.target, rows, receipt.version, seconds) if difference.target else None

    written = run.engine.at_once((partial(write, d) for d in differing), sum(before.values()))
    return [table for table in written if table is not None]


def _path(run: MapRun, difference: Difference) -> Path:
    return run.lake.omop(difference.target) if difference.target else run.lake.ops("provenance")


def _write(run: MapRun, difference: Difference, path: Path, buckets: dict[int, list[int]]) -> Receipt:
    columns = ", ".join(difference.columns)
    added = f"SELECT {columns} FROM {difference.view} WHERE {ADDED}"
    more, less = (sum(n) for n in zip(*buckets.values(), strict=True))
    if not is_delta(path):
        return replace_buckets(run.engine.sql(added), path, difference.columns, more, run.buckets)
    touched = Buckets.of(buckets)
    if less == 0 and file_count(path, touched) < FILES * len(buckets):
        return append(run.engine.sql(added), path, difference.columns, more)
    lake = f"lake__{difference.view}"
    run.engine.view_of_delta(lake, path)
    key = difference.key
    content = f"r._h = {content_hash(*(f'l.{column}' for column in difference.columns))}"
    gone = f"SELECT {f'{key}, ' if key else ''}_h FROM {difference.view} WHERE NOT {ADDED}"
    kept = (
        f"SELECT {', '.join(f'l.{column}' for column in difference.columns)} FROM {lake} AS l "
        f"LEFT ANTI JOIN ({gone}) AS r ON {f'r.{key} = l.{key}' if key else content} WHERE l.{touched.predicate}"
    )
    rows = rows_in(path, touched) + more - less
    query = f"{kept} UNION ALL {added}"
    return replace_buckets(run.engine.sql(query), path, difference.columns, rows, touched)
