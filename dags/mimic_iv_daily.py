"""MIMIC-IV, every night: extract, map, check, publish. Runbook: docs/runbooks/daily_load.md.

The files of the night lie in the folder `input` of the run, by default `incoming/mimic_iv` beside the workspace
(never in it: what arrives still names people).
"""

from typing import Any

from airflow.sdk import Param, chain, dag, task
from pendulum import datetime

from dags.command import passerelle
from dags.policy import TASKS, views_of
from passerelle.settings import load_settings

SOURCE = "mimic_iv"
VIEWS = views_of(SOURCE)
INCOMING = load_settings().workspace.absolute().parent / "incoming" / SOURCE


@dag(
    # An hour after the first source: two runs at once on one workspace would wait for each other.
    schedule="0 4 * * *",
    start_date=datetime(2025, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    params={"input": Param(str(INCOMING), type="string", description="folder of the extract")},
    tags=["etl", SOURCE],
    doc_md=__doc__,
)
def mimic_iv_daily() -> None:
    @task(outlets=[VIEWS])
    def publish(*, outlet_events: Any = None) -> None:
        outlet_events[VIEWS].extra = passerelle("publish", SOURCE)

    extract = task(task_id="extract")(passerelle)("extract", SOURCE, "--input", "{{ params.input }}")
    steps = [task(task_id=step)(passerelle)(step, SOURCE) for step in ("map", "check")]
    chain(extract, *steps, publish())


mimic_iv_daily()
