"""Derive what follows from the mapped tables: observation periods and eras, of everybody or of the touched persons."""

from etl.cdm_rows import table_columns
from omop.cdm import table as cdm_table
from omop.lake import is_delta
from spark_jobs.delta import table_version
from spark_jobs.derive_eras import ERA_TABLES, derive_eras, stage_eras
from spark_jobs.derive_periods import derive_observation_periods, observation_periods_query
from spark_jobs.engine import no_row
from spark_jobs.sides import TOUCHED_IDS, MapRun
from spark_jobs.write_tables import Difference, write_differences

PERIOD = "observation_period"


def derive(run: MapRun) -> dict[str, dict[str, int]] | None:
    """Write the derived tables; era table → reason → rows that made none (None: only some persons were derived)."""
    if run.base is not None:
        _derive_touched(run)
        return None
    derive_observation_periods(run.engine, run.lake, run.frame, run.buckets)
    return derive_eras(run.engine, run.lake, run.frame, run.buckets, run.staging).left_out


def _derive_touched(run: MapRun) -> None:
    """An era, or a period, depends on the events of its person alone: those of other persons stay true."""
    engine, lake = run.engine, run.lake
    eras = stage_eras(engine, lake, run.frame, run.buckets, run.staging, touched=TOUCHED_IDS)
    after = {name: f"SELECT {', '.join(table_columns(cdm_table(name)))} FROM {eras[name]}" for name in ERA_TABLES}
    after[PERIOD] = observation_periods_query(engine, lake, run.frame, run.buckets, TOUCHED_IDS)
    differences = []
    for name, query in after.items():
        table = cdm_table(name)
        columns = table_columns(table)
        before = no_row(columns)
        if is_delta(lake.omop(name)):
            engine.view_of_delta(f"before__{name}", lake.omop(name), table_version(lake.omop(name)))
            before = (
                f"SELECT {', '.join(columns)} FROM before__{name} "
                f"WHERE {run.buckets.predicate} AND person_id IN (SELECT person_id FROM {TOUCHED_IDS})"
            )
        differences.append(Difference(f"omop.{name}", name, columns, table.primary_key, before, query))
    write_differences(run, differences)
