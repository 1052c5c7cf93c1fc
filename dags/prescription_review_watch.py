"""Prescription review, on the first of each month: evaluate the model on what was reviewed since it was made.

The report shows it month by month; what is noticed of the last one is in the task's log. Runbook:
docs/runbooks/daily_load.md.
"""

from airflow.sdk import dag, task
from pendulum import datetime

from dags.command import passerelle
from dags.policy import TASKS

MODEL = "prescription_review"


@dag(
    schedule="0 5 1 * *",
    start_date=datetime(2025, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    tags=["model", MODEL],
    doc_md=__doc__,
)
def prescription_review_watch() -> None:
    # The whole report is no summary: it is kept in the workspace, not in Airflow.
    task(task_id="evaluate", do_xcom_push=False)(passerelle)("evaluate", MODEL)


prescription_review_watch()
