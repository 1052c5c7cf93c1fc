"""Prescription review, each time the views are new: predict, then deliver what is in the outbox as FHIR.

Runbook: docs/runbooks/daily_load.md. The FHIR server is the setting `fhir_url` (`PASSERELLE_FHIR_URL`).
"""

from airflow.sdk import chain, dag, task
from pendulum import datetime

from dags.command import passerelle
from dags.policy import TASKS, views_of

MODEL = "prescription_review"


@dag(
    # Any source that publishes starts a run; the predictions of the other patients stay the same.
    schedule=(views_of("chu_demo") | views_of("mimic_iv")),
    start_date=datetime(2025, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    tags=["model", MODEL],
    doc_md=__doc__,
)
def prescription_review_scoring() -> None:
    chain(
        task(task_id="predict")(passerelle)("predict", MODEL),
        task(task_id="deliver")(passerelle)("fhir", "deliver"),
    )


prescription_review_scoring()
