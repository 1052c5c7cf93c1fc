"""Text becomes typed columns; bad values are set aside; each key stands once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from etl.declaration import Source, SourceColumn, SourceTable
from etl.sql_text import FINITE, literal, name, within
from spark_jobs.bronze import CONTENT, LINE, ROW, content_hash
from spark_jobs.engine import Engine
from spark_jobs.ops import QUARANTINE_SAMPLE, Quarantined

DEFECT, NOTE = "_defect", "_note"
CONFLICT = "conflict"


@dataclass
class Typed:
    """The rows of a delivery that can stand in bronze, and what became of the others."""

    view: str  # ``_row``, columns, ``_line``, ``_content``; each ``_row`` once
    rows: int
    content: int
    newest: str | None
    spoilt: str  # query of the ``_row`` that cannot stand
    merged: int = 0  # the same row sent twice, or an older version of it
    quarantined_rows: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)

    @classmethod
    def nothing(cls, table: str) -> "Typed":
        """A delivery without a row; its view does not exist."""
        return cls(f"good__{table}", 0, 0, None, "")


def type_rows(engine: Engine, source: Source, table_name: str, raw: str, salt: int, staging: Path) -> Typed:
    """Read the text of a delivery as what it is declared to be.

    Args:
        raw: view of the text, identifiers already hashed.
        staging: folder where the few rows that are sent twice may be written.
    """
    table = source.tables[table_name]
    view = f"typed__{table_name}"
    engine.sql(typed_query(source, table_name, raw, salt)).createOrReplaceTempView(view)
    good = f"{DEFECT} IS NULL"
    newest = f"max({name(table.change_column)})" if table.change_column else "CAST(NULL AS string)"
    facts = engine.rows(
        f"SELECT count(*) - count({DEFECT}) AS n, count({DEFECT}) AS bad, count({NOTE}) AS noted, "
        f"count(DISTINCT CASE WHEN {good} THEN {ROW} END) AS keys, CAST({newest} AS string) AS newest, "
        f"sum(CASE WHEN {good} THEN CAST({CONTENT} AS decimal(20, 0)) END) AS content FROM {view}"
    )[0]
    columns = ", ".join(name(column) for column in (ROW, *table.bronze_columns, LINE, CONTENT))
    query = f"SELECT {columns} FROM {view} WHERE {good}"
    spoilt = f"SELECT DISTINCT {ROW} FROM {view} WHERE {DEFECT} IS NOT NULL"
    typed = Typed(f"good__{table_name}", facts["n"], int(facts["content"] or 0), facts["newest"], spoilt)
    typed.quarantined_rows = facts["bad"]
    for column, whole_row in ((DEFECT, True), (NOTE, False)):
        if facts["bad" if whole_row else "noted"]:
            typed.quarantined += _examples(engine, table_name, view, column, whole_row)
    if facts["keys"] < facts["n"]:
        repeated = _repeated(engine, source, table_name, raw, salt, staging)
        query = _each_key_once(engine, table_name, table, repeated, query, typed, staging)
    engine.sql(query).createOrReplaceTempView(typed.view)
    return typed


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
    row = row_hash(source, table_name, salt)
    defect = f"CASE {' '.join(defects)} END" if defects else "CAST(NULL AS string)"
    note = f"concat_ws('; ', {', '.join(notes)})" if notes else "''"
    return (
        f"SELECT t.*, {content_hash(ROW, *map(name, table.bronze_columns))} AS {CONTENT} FROM ("
        f"SELECT {row} AS {ROW}, {', '.join(casts)}, {LINE}, {defect} AS {DEFECT}, "
        f"CASE WHEN {note} = '' THEN NULL ELSE {note} END AS {NOTE} FROM {view}) AS t"
    )


def row_hash(source: Source, table_name: str, salt: int) -> str:
    """SQL of the hash of a row's key, over the text of its key columns; the view has ``_line`` as well.

    Sail 0.7.2 stops where all that it hashes is constant (keys that are all empty): a null varies and leaves no trace.
    """
    table = source.tables[table_name]
    keys = ", ".join(
        f"coalesce(CAST({name(column)} AS string), '')" for column in table.key if column not in table.crosswalk
    )
    return f"xxhash64({salt}L, {literal(source.name)}, {literal(table_name)}, {keys}, nullif({LINE}, {LINE}))"


def cast_text(value: str, column: SourceColumn, timezone: str) -> str:
    """SQL that reads a text as its declared type, null when it cannot be; local times become UTC here, once.

    Engines read years that no reader knows: a date is one of the years 1 to 9999, in UTC and where the hospital is.
    """
    read = _read_text(value, column, timezone)
    match column.type:
        case "double":
            return within(read, *FINITE)
        case "date":
            return within(read, "DATE '0001-01-01'", "DATE '9999-12-31'")
        case "timestamp":
            return within(read, *_moments(timezone))
    return read


def _moments(timezone: str) -> tuple[str, str]:
    """SQL of the first and the last moment."""
    ahead = datetime(9999, 12, 30, tzinfo=ZoneInfo(timezone)).utcoffset() or timedelta()
    last = datetime.max - max(ahead, timedelta())
    # The local time of the year 1 is that of the sun, which engines reckon differently: one day less.
    first = "0001-01-01" if timezone == "UTC" else "0001-01-02"
    return f"TIMESTAMP '{first} 00:00:00'", f"TIMESTAMP '{last}'"


def _read_text(value: str, column: SourceColumn, timezone: str) -> str:
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


def _examples(engine: Engine, table_name: str, view: str, column: str, whole_row: bool) -> list[Quarantined]:
    rows = engine.rows(
        f"SELECT {ROW}, {LINE}, {column} AS reason FROM {view} WHERE {column} IS NOT NULL "
        f"ORDER BY {LINE}, {ROW} LIMIT {QUARANTINE_SAMPLE}"
    )
    return [Quarantined(table_name, row[ROW], row[LINE], row["reason"], None, whole_row) for row in rows]


def _repeated(engine: Engine, source: Source, table_name: str, raw: str, salt: int, staging: Path) -> tuple[str, str]:
    """Views of the keys that stand more than once, and of their rows, typed.

    Sought in the text: of the other rows, nothing but the key is read.
    """
    keys, rows, row = f"repeated__{table_name}", f"repeated_rows__{table_name}", row_hash(source, table_name, salt)
    query = f"SELECT _r FROM (SELECT {row} AS _r FROM {raw}) AS k GROUP BY _r HAVING count(*) > 1"
    engine.stage(keys, query, staging / "keys")
    engine.sql(f"SELECT w.* FROM {raw} AS w LEFT SEMI JOIN {keys} AS r ON r._r = {row}").createOrReplaceTempView(rows)
    engine.sql(typed_query(source, table_name, rows, salt)).createOrReplaceTempView(f"typed_{rows}")
    return keys, f"typed_{rows}"


def _each_key_once(
    engine: Engine,
    table_name: str,
    table: SourceTable,
    repeated: tuple[str, str],
    good: str,
    typed: Typed,
    staging: Path,
) -> str:
    """Of the rows with one key: the newest by the change column, else the first; copies are merged, the rest set aside.

    Rows that differ and are equally new contradict each other: one stays, the others go to quarantine.
    """
    change = name(table.change_column) if table.change_column else "CAST(NULL AS string)"
    order = f"{change} DESC NULLS LAST, " + (CONTENT if table.change_column else LINE)
    over = f"OVER (PARTITION BY {ROW} ORDER BY {order})"
    keys, rows = repeated
    ranked = f"ranked__{table_name}"
    engine.stage(
        ranked,
        f"""
        SELECT w.*, CASE WHEN _rank = 1 THEN 'first' WHEN {CONTENT} = _best THEN 'copy'
            WHEN _changed < _latest OR (_changed IS NULL AND _latest IS NOT NULL) THEN 'older'
            ELSE {literal(CONFLICT)} END AS _verdict
        FROM (
            SELECT s.*, {change} AS _changed, row_number() {over} AS _rank,
                first_value({CONTENT}) {over} AS _best, first_value({change}) {over} AS _latest
            FROM {rows} AS s WHERE {DEFECT} IS NULL
        ) AS w
        """,
        staging / "ranked",
    )
    counted: dict[str, dict[str, Any]] = {
        row["verdict"]: row
        for row in engine.rows(
            f"SELECT _verdict AS verdict, count(*) AS n, sum(CAST({CONTENT} AS decimal(20, 0))) AS content "
            f"FROM {ranked} GROUP BY _verdict"
        )
    }
    conflicts = counted.get(CONFLICT, {}).get("n", 0)
    typed.merged = sum(counted.get(verdict, {}).get("n", 0) for verdict in ("copy", "older"))
    typed.quarantined_rows += conflicts
    typed.rows -= typed.merged + conflicts
    typed.content -= sum(int(row["content"]) for verdict, row in counted.items() if verdict != "first")
    if conflicts:
        examples = engine.rows(
            f"SELECT {ROW}, {LINE} FROM {ranked} WHERE _verdict = {literal(CONFLICT)} "
            f"ORDER BY {LINE}, {ROW} LIMIT {QUARANTINE_SAMPLE}"
        )
        reason = f"duplicate key ({', '.join(table.key)})"
        typed.quarantined += [Quarantined(table_name, row[ROW], row[LINE], reason, None) for row in examples]
    columns = ", ".join(name(column) for column in (ROW, *table.bronze_columns, LINE, CONTENT))
    return (
        f"SELECT {columns} FROM {ranked} WHERE _verdict = 'first' UNION ALL "
        f"SELECT {columns} FROM ({good}) AS s LEFT ANTI JOIN {keys} AS r ON r._r = s.{ROW}"
    )
