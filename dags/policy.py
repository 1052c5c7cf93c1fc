"""What all our DAGs share: how often a task is tried again, and the assets that link them."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset

# Only what may pass later is tried again: a terminal error ends the task at once (see command.py).
TASKS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(hours=3),
}


def views_of(source: str) -> Asset:
    """The views, once the rows of this source are in them: what the DAGs of the models wait for."""
    return Asset(name=f"{source}_views", uri=f"passerelle://{source}/omop_views")
