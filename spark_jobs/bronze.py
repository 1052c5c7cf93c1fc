"""Bronze is a change log: each landing appends the rows that are new, corrected or gone, under its own number.

The current row of a key is the one of its newest landing. What an increment touches is what has a newer number than the
landing that readers see.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from etl.declaration import Source, SourceTable
from etl.sql_text import name
from omop.lake import Lake
from spark_jobs.delta import restore, table_version
from spark_jobs.engine import Engine

ROW, LINE = "_row", "_line"
CONTENT, BATCH, GONE = "_content", "_batch", "_gone"
COMPACT = 1.3  # rows that a log may hold for each current one; beyond, the table is written anew


@dataclass(frozen=True)
class BronzeState:
    """A bronze table as one landing left it; what is counted covers everything that ever arrived and still counts."""

    version: int
    batch: int
    since: int  # number of the landing that wrote the table anew: up to it, each row stands once
    rows: int  # current ones
    content: int  # sum of the content hashes of the current rows
    read: int
    merged: int
    quarantined: int
    newest: str | None  # greatest value of the change column
    changed: int  # rows that this landing added, corrected or took away
    columns: str  # name and type of each column

    @property
    def fingerprint(self) -> str:
        return f"{self.rows}:{self.content}"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "content": str(self.content)}

    @classmethod
    def of_json(cls, facts: dict[str, Any]) -> "BronzeState":
        return cls(**{**facts, "content": int(facts["content"])})


def states_of(landed: dict[str, dict[str, Any]]) -> dict[str, BronzeState]:
    """The bronze tables as a run recorded them.

    Args:
        landed: table → facts of its landing; what reaches no table has no state.
    """
    return {name: BronzeState.of_json(facts["bronze"]) for name, facts in landed.items() if facts["bronze"]}


def bronze_schema(table: SourceTable) -> dict[str, str]:
    """Columns of a bronze table in the lake and their types."""
    return {ROW: "bigint", **table.bronze_columns, LINE: "bigint", CONTENT: "bigint", BATCH: "int", GONE: "boolean"}


def signature(table: SourceTable) -> str:
    """What two landings must have in common to stand in one table."""
    columns = ", ".join(f"{column} {kind}" for column, kind in table.bronze_columns.items())
    return columns if table.free_text_dates == "keep" else f"{columns}; dates in free text shifted"


def content_hash(*columns: str) -> str:
    """SQL that hashes the values of a row, each with its place: a null alone would leave no trace in the hash."""
    return f"xxhash64({', '.join(f'{column}, {column} IS NULL' for column in columns)})"


def back_to(lake: Lake, source: str, table: str, state: BronzeState | None) -> Path:
    """Undo what landings after a state have left in a table; the path of the table."""
    path = lake.bronze(source, table)
    if state is not None and table_version(path) != state.version:
        restore(path, state.version)
    return path


def open_log(engine: Engine, lake: Lake, source: Source, table: str, version: int, view: str) -> str:
    """Make every version of every row readable; gives the name of the view back."""
    engine.view_of_delta(view, lake.bronze(source.name, table), version)
    return view


def open_current(engine: Engine, lake: Lake, source: Source, table: str, state: BronzeState, view: str) -> str:
    """Make the current rows of a table readable; gives the name of the view back. ``<view>_log`` has every version."""
    log = open_log(engine, lake, source, table, state.version, f"{view}_log")
    engine.sql(current_query(source.tables[table], log, state)).createOrReplaceTempView(view)
    return view


def current_query(table: SourceTable, log: str, state: BronzeState) -> str:
    """The current rows of a table: ``_row``, its columns, ``_line``, ``_content``, ``_batch``."""
    columns = row_columns(table, BATCH)
    if state.batch == state.since:
        return f"SELECT {columns} FROM {log} WHERE NOT {GONE}"
    # What came since is little: only there the newest version is sought.
    later = f"{BATCH} > {state.since}"
    newest = f"row_number() OVER (PARTITION BY {ROW} ORDER BY {BATCH} DESC) AS _rank"
    return (
        f"SELECT {columns} FROM {log} AS b LEFT ANTI JOIN (SELECT {ROW} AS _r FROM {log} WHERE {later}) AS c "
        f"ON c._r = b.{ROW} WHERE b.{BATCH} <= {state.since} AND NOT {GONE} UNION ALL "
        f"SELECT {columns} FROM (SELECT l.*, {newest} FROM {log} AS l WHERE {later}) AS r "
        f"WHERE _rank = 1 AND NOT {GONE}"
    )


def states_query(table: SourceTable, rows: str, log: str, states: dict[str, BronzeState]) -> str:
    """Which versions of some rows are current in several states of a table: its columns, and one column a state.

    Args:
        rows: query of versions of rows, none of them gone, with every column of the log.
        log: view of every version of every row.
        states: column → state; the table was not written anew between them.
    """
    since = next(iter(states.values())).since
    newest = ", ".join(
        f"max(CASE WHEN {BATCH} <= {state.batch} THEN {BATCH} END) AS _at_{column}" for column, state in states.items()
    )
    later = f"SELECT {ROW} AS _r, {newest} FROM {log} WHERE {BATCH} > {since} GROUP BY {ROW}"
    flags = [
        f"CASE WHEN k._at_{column} IS NULL THEN n.{BATCH} <= {since} ELSE n.{BATCH} = k._at_{column} END AS {column}"
        for column in states
    ]
    current = f"SELECT {row_columns(table, of='n')}, {', '.join(flags)} FROM ({rows}) AS n LEFT JOIN ({later}) AS k "
    return f"SELECT * FROM ({current}ON k._r = n.{ROW}) AS s WHERE {' OR '.join(states)}"


def row_columns(table: SourceTable, *more: str, of: str = "") -> str:
    """Columns of a bronze row for a SELECT."""
    prefix = f"{of}." if of else ""
    return ", ".join(f"{prefix}{name(column)}" for column in (ROW, *table.bronze_columns, LINE, CONTENT, *more))
