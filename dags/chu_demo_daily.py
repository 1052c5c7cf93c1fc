"""Demo CHU, every night: extract, map, check, publish. Runbook: docs/runbooks/daily_load.md.

The database of the source is the setting `source_dsn` (`PASSERELLE_SOURCE_DSN`).
"""

from typing import Any

from airflow.sdk import chain, dag, task
from pendulum import datetime

from dags.command import passerelle
from dags.policy import TASKS, views_of

SOURCE = "chu_demo"
VIEWS = views_of(SOURCE)


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2025, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    tags=["etl", SOURCE],
    doc_md=__doc__,
)
def chu_demo_daily() -> None:
    @task(outlets=[VIEWS])
    def publish(*, outlet_events: Any = None) -> None:
        outlet_events[VIEWS].extra = passerelle("publish", SOURCE)

    steps = [task(task_id=step)(passerelle)(step, SOURCE) for step in ("extract", "map", "check")]
    chain(*steps, publish())


chu_demo_daily()
