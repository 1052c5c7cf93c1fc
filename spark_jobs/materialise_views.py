"""Write the views of the contract from the CDM tables as they stand.

spark-submit passerelle/__main__.py publish mimic_iv --workspace W --engine submitted
"""

import hashlib
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from omop.cdm import table as cdm_table
from omop.lake import Lake, is_delta
from omop.views.contract import view, views
from omop.views.materialise import view_sql
from omop.views.render import in_order, in_waves, tables_of, views_of
from spark_jobs.delta import overwrite, overwrite_with_nothing, row_count, table_version
from spark_jobs.engine import Engine

Facts = dict[str, Any]  # of a view: rows, version, and what it was made of


def materialise_views(engine: Engine, lake: Lake, staging: Path, before: Mapping[str, Facts]) -> dict[str, Facts]:
    """Write every view whose tables have changed. Readers see none of it before the snapshot is written.

    Args:
        before: the views of an earlier run; one that was made of the same versions by the same SQL stays as it is.

    Returns: view → its rows, its version, and a fingerprint of what it was made of.
    """
    rows_of = {name: row_count(lake.omop(name)) for name in sorted(_read())}
    made: dict[str, Facts] = {}
    waiting: list[str] = []
    for name in in_order():
        of = _fingerprint(lake, name)
        if name in before and before[name].get("of") == of:
            made[name] = before[name]
        elif not any(rows_of.get(table, 0) for table in view(name).rows_of):
            made[name] = {"rows": 0, "version": overwrite_with_nothing(lake.view(name), _columns(name)), "of": of}
        else:
            waiting.append(name)
    for table in {table for name in waiting for table in tables_of(name)}:
        _open(engine, lake, table)
    for names in in_waves(waiting):
        made |= _write(engine, lake, staging, names, made, sum(rows_of.values()))
    return {name: made[name] for name in views()}


def _read() -> set[str]:
    return {table for name in views() for table in (*tables_of(name), *view(name).rows_of)}


def _fingerprint(lake: Lake, name: str) -> str:
    versions = {table: table_version(lake.omop(table)) for table in sorted(tables_of(name))}
    sql = [_sql(part) for part in (*sorted(views_of(name)), name)]
    return hashlib.sha256(repr((versions, sql)).encode()).hexdigest()


def _write(
    engine: Engine, lake: Lake, staging: Path, names: list[str], made: Mapping[str, Facts], rows_read: int
) -> dict[str, Facts]:
    """Stage some views, count them, write them."""
    for read in {other for name in names for other in views_of(name)}:
        engine.view_of_delta(_view_at(read), lake.view(read), made[read]["version"])
    engine.at_once(
        (partial(engine.stage, _staged(name), _sql(name), staging / "views" / name) for name in names),
        rows_read,
    )
    rows = engine.row_counts({name: _staged(name) for name in names})

    def write(name: str) -> Facts:
        columns = _columns(name)
        ordered = engine.sql(f"SELECT {', '.join(columns)} FROM {_staged(name)}")
        version = overwrite(ordered, lake.view(name), columns, rows[name]).version
        return {"rows": rows[name], "version": version, "of": _fingerprint(lake, name)}

    return dict(zip(names, engine.at_once((partial(write, name) for name in names), rows_read), strict=True))


@cache
def _sql(name: str) -> str:
    return view_sql(name, _table_at, _view_at)


def _columns(name: str) -> dict[str, str]:
    return {column: facts.type for column, facts in view(name).columns.items()}


def _table_at(table: str) -> str:
    return f"omop__{table}"


def _view_at(name: str) -> str:
    return f"view__{name}"


def _staged(name: str) -> str:
    return f"staged__{name}"


def _open(engine: Engine, lake: Lake, table: str) -> None:
    """Name a CDM table for the engine; one that no source fills is empty."""
    path = lake.omop(table)
    if is_delta(path):
        engine.view_of_delta(_table_at(table), path, table_version(path))
    else:
        engine.empty_view(_table_at(table), {column.name: column.type for column in cdm_table(table).columns})
