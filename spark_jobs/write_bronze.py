"""Write a delivery into bronze: what is new, corrected or gone, under the number of its landing."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etl.declaration import Source, SourceTable
from etl.sql_text import name
from omop.lake import Lake
from spark_jobs.bronze import (
    BATCH,
    COMPACT,
    CONTENT,
    GONE,
    ROW,
    BronzeState,
    bronze_schema,
    open_current,
    row_columns,
    signature,
)
from spark_jobs.delta import append, overwrite, row_count
from spark_jobs.engine import Engine
from spark_jobs.find_departures import Departures
from spark_jobs.type_rows import Typed

WAS = "_was"  # content hash of the row that a change replaces


@dataclass
class Arrived:
    """A delivery of one table, ready to be compared with what bronze holds."""

    typed: Typed
    read: int
    part: bool  # it holds some rows; those that it does not hold stay
    departures: Departures | None = None  # finds what a database no longer has, when it was asked for some rows


def write_bronze(
    engine: Engine,
    lake: Lake,
    source: Source,
    table_name: str,
    arrived: Arrived,
    base: BronzeState | None,
    staging: Path,
) -> BronzeState:
    """Bring a bronze table from its base to the delivery; nothing is written when nothing differs."""
    table, typed = source.tables[table_name], arrived.typed
    path = lake.bronze(source.name, table_name)
    accounts: dict[str, Any] = {
        "read": arrived.read,
        "merged": typed.merged,
        "quarantined": typed.quarantined_rows,
    }
    columns = row_columns(table)
    whole = BronzeState(
        version=-1, batch=1, since=1, rows=typed.rows, content=typed.content, **accounts,
        newest=typed.newest, changed=typed.rows, columns=signature(table),
    )  # fmt: skip
    if base is None:
        query = f"SELECT {columns}, CAST(1 AS int) AS {BATCH}, false AS {GONE} FROM {typed.view}"
        return _write_anew(engine, query, path, table, whole, typed.rows)
    if not arrived.part and whole.fingerprint == base.fingerprint:
        return replace(base, changed=0, **accounts)
    changes, facts = _changes(engine, lake, source, table_name, arrived, base, staging)
    state = replace(
        base,
        batch=base.batch + 1,
        rows=base.rows + facts["arrived"] - facts["gone"],
        content=base.content + int(facts["more"] or 0) - int(facts["less"] or 0),
        newest=max((moment for moment in (base.newest, typed.newest) if moment), default=None),
        changed=facts["n"],
        **accounts,
    )
    if arrived.part:
        state = _everything_that_came(state, base, arrived)
    if not facts["n"]:
        return replace(state, batch=base.batch)
    changed = f"SELECT {columns}, CAST({state.batch} AS int) AS {BATCH}, {GONE} FROM {changes}"
    if row_count(path) + facts["n"] > COMPACT * max(state.rows, 1):
        kept = row_columns(table, BATCH, of="b")
        query = (
            f"{changed} UNION ALL SELECT {kept}, false AS {GONE} FROM before__{table_name} AS b "
            f"LEFT ANTI JOIN {changes} AS c ON c.{ROW} = b.{ROW}"
        )
        anew = replace(state, since=state.batch)
        return _write_anew(engine, query, path, table, anew, state.rows + facts["gone"])
    return replace(state, version=append(engine.sql(changed), path, bronze_schema(table), facts["n"]).version)


def _write_anew(
    engine: Engine, query: str, path: Path, table: SourceTable, state: BronzeState, rows: int
) -> BronzeState:
    return replace(state, version=overwrite(engine.sql(query), path, bronze_schema(table), rows).version)


def _changes(
    engine: Engine, lake: Lake, source: Source, table_name: str, arrived: Arrived, base: BronzeState, staging: Path
) -> tuple[str, dict[str, Any]]:
    """View of the rows that differ, and how many: ``n, arrived, gone``, and the sums of content that come and go."""
    table = source.tables[table_name]
    before, changes = f"before__{table_name}", f"changes__{table_name}"
    open_current(engine, lake, source, table_name, base, before)
    arrivals = None
    if arrived.typed.rows or not arrived.part:  # staged: the search for departures asks for them again
        arrivals = f"arrivals__{table_name}"
        engine.stage(arrivals, _arrivals(table, arrived, before), staging / "arrivals" / table_name)
    gone = None
    if table.delete_rule.kind == "absence":
        if not arrived.part:
            gone = f"SELECT b.{ROW} FROM {before} AS b LEFT ANTI JOIN {arrived.typed.view} AS g ON g.{ROW} = b.{ROW}"
        elif arrived.departures is not None:
            gone = _found(engine, table, arrived, arrivals, before)
    parts = [arrivals] if arrivals else []
    if gone:
        parts.append(f"departures__{table_name}")
        engine.stage(parts[-1], _departures(table, before, gone), staging / "departures" / table_name)
    if not parts:
        return changes, {"n": 0, "arrived": 0, "gone": 0, "more": 0, "less": 0}
    engine.sql(" UNION ALL ".join(f"SELECT * FROM {part}" for part in parts)).createOrReplaceTempView(changes)
    facts = engine.rows(
        f"SELECT count(*) AS n, count(*) - count({WAS}) AS arrived, "
        f"coalesce(sum(CASE WHEN {GONE} THEN 1 ELSE 0 END), 0) AS gone, "
        f"sum(CASE WHEN NOT {GONE} THEN CAST({CONTENT} AS decimal(20, 0)) END) AS more, "
        f"sum(CAST({WAS} AS decimal(20, 0))) AS less FROM {changes}"
    )
    return changes, facts[0]


def _arrivals(table: SourceTable, arrived: Arrived, before: str) -> str:
    """Rows that are new or differ; of a delivery in part, an older version of a row does not replace a newer one."""
    columns = row_columns(table, of="g")
    change = name(table.change_column) if table.change_column else None
    older = f" AND NOT coalesce(g.{change} < b.{change}, false)" if change and arrived.part else ""
    return (
        f"SELECT {columns}, b.{CONTENT} AS {WAS}, false AS {GONE} FROM {arrived.typed.view} AS g "
        f"LEFT JOIN {before} AS b ON b.{ROW} = g.{ROW} WHERE b.{ROW} IS NULL OR (b.{CONTENT} <> g.{CONTENT}{older})"
    )


def _departures(table: SourceTable, before: str, gone: str) -> str:
    columns = row_columns(table, of="b")
    return (
        f"SELECT {columns}, b.{CONTENT} AS {WAS}, true AS {GONE} FROM {before} AS b "
        f"JOIN ({gone}) AS g ON g.{ROW} = b.{ROW}"
    )


def _found(engine: Engine, table: SourceTable, arrived: Arrived, arrivals: str | None, before: str) -> str | None:
    """Query of the rows that a database no longer has, or gives in a way that cannot be read."""
    assert arrived.departures is not None
    keys = ", ".join(dict.fromkeys((ROW, *(name(c) for c in table.key if c not in table.crosswalk))))
    known = f"{before}_and_new"
    query = f"SELECT {keys} FROM {before}"
    if arrivals:
        query += f" UNION ALL SELECT {keys} FROM {arrivals} WHERE {WAS} IS NULL"
    engine.sql(query).createOrReplaceTempView(known)
    spoilt = arrived.typed.spoilt if arrived.typed.quarantined_rows else None
    return arrived.departures.find(known, spoilt)


def _everything_that_came(state: BronzeState, base: BronzeState, arrived: Arrived) -> BronzeState:
    """Accounts after a delivery in part: a database has so many rows now; files have brought so many until now."""
    if arrived.departures is not None:
        now = arrived.departures.now
        quarantined = max(now - state.rows - base.merged, 0)
        return replace(state, read=now, quarantined=quarantined, merged=now - state.rows - quarantined)
    read, quarantined = base.read + state.read, base.quarantined + state.quarantined
    return replace(state, read=read, quarantined=quarantined, merged=read - quarantined - state.rows)
