"""The DAGs load without a connection, keep their names and their policy, and wait only for what is made."""

from datetime import timedelta

import pytest

IDS = {"chu_demo_daily", "mimic_iv_daily", "prescription_review_scoring", "prescription_review_watch"}
LOADS = ["chu_demo_daily", "mimic_iv_daily"]


def test_the_dags_are_exactly_these(dags):
    assert set(dags) == IDS


@pytest.mark.parametrize("dag_id", sorted(IDS))
def test_a_dag_never_runs_the_past_nor_twice_at_once(dags, dag_id):
    dag = dags[dag_id]
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert str(dag.timezone) == "Europe/Paris"
    assert "docs/runbooks/daily_load.md" in dag.doc_md
    assert dag.tags & {"etl", "model"}


@pytest.mark.parametrize("dag_id", sorted(IDS))
def test_every_task_is_tried_again_and_ends_one_day(dags, dag_id):
    for task in dags[dag_id].tasks:
        assert (task.retries, task.execution_timeout) == (2, timedelta(hours=3))


@pytest.mark.parametrize("dag_id", LOADS)
def test_a_daily_load_is_extract_map_check_publish(dags, dag_id):
    assert chain_of(dags[dag_id]) == ["extract", "map", "check", "publish"]


def test_scoring_predicts_then_delivers(dags):
    assert chain_of(dags["prescription_review_scoring"]) == ["predict", "deliver"]


def test_a_model_in_use_is_evaluated_every_month(dags):
    watch = dags["prescription_review_watch"]
    assert chain_of(watch) == ["evaluate"]
    assert watch.schedule == "0 5 1 * *"


def test_scoring_starts_when_any_source_has_published(dags):
    schedule = dags["prescription_review_scoring"].timetable.asset_condition
    assert type(schedule).__name__ == "AssetAny"


def test_every_awaited_asset_has_a_producer(dags):
    made = {asset.uri for dag in dags.values() for task in dag.tasks for asset in task.outlets}
    schedules = [getattr(dag.timetable, "asset_condition", None) for dag in dags.values()]
    awaited = {asset.uri for schedule in schedules if schedule for asset in schedule.objects}
    assert awaited and awaited <= made


def test_every_publish_announces_the_views_of_its_source(dags):
    outlets = {dag_id: [asset.uri for asset in dags[dag_id].get_task("publish").outlets] for dag_id in LOADS}
    assert outlets == {dag_id: [f"passerelle://{dag_id.removesuffix('_daily')}/omop_views"] for dag_id in LOADS}


def chain_of(dag):
    """Task ids of a DAG that is one line, in order."""
    (task,) = dag.roots
    ids = [task.task_id]
    while task.downstream_list:
        (task,) = task.downstream_list
        ids.append(task.task_id)
    return ids
