"""Write the views of the contract from the CDM tables as they stand.

spark-submit passerelle/__main__.py publish mimic_iv --workspace W --engine submitted
"""

from functools import partial
from pathlib import Path
from typing import Any

from omop.cdm import table as cdm_table
from omop.lake import Lake, is_delta
from omop.views.contract import views
from omop.views.materialise import view_sql
from omop.views.render import tables_of
from spark_jobs.delta import overwrite, row_count, table_version
from spark_jobs.engine import Engine


def materialise_views(engine: Engine, lake: Lake, staging: Path) -> dict[str, Any]:
    """Write every view; returns rows and version of each. Readers see none of it before the snapshot is written."""
    read = sorted({table for view in views() for table in tables_of(view)})
    for name in read:
        _open(engine, lake, name)
    many = sum(row_count(lake.omop(name)) for name in read)
    staged = {name: f"staged__{name}" for name in views()}
    engine.at_once(
        (
            partial(engine.stage, view, view_sql(name, _view_of), staging / "views" / name)
            for name, view in staged.items()
        ),
        many,
    )
    rows = engine.row_counts(staged)

    def write(name: str) -> dict[str, int]:
        columns: dict[str, str] = {column: facts.type for column, facts in views()[name].columns.items()}
        ordered = engine.sql(f"SELECT {', '.join(columns)} FROM {staged[name]}")
        return {"rows": rows[name], "version": overwrite(ordered, lake.view(name), columns, rows[name]).version}

    return dict(zip(staged, engine.at_once((partial(write, name) for name in staged), many), strict=True))


def _view_of(table: str) -> str:
    return f"omop__{table}"


def _open(engine: Engine, lake: Lake, table: str) -> None:
    """Name a CDM table for the engine; one that no source fills is empty."""
    path = lake.omop(table)
    if is_delta(path):
        engine.view_of_delta(_view_of(table), path, table_version(path))
    else:
        engine.empty_view(_view_of(table), {column.name: column.type for column in cdm_table(table).columns})
