"""What a run tells as OpenLineage: valid events, a start and an end for each step, where each column comes from."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from etl.compiler import compile_source
from passerelle.cli import run as cli
from passerelle.errors import SourceError
from passerelle.openlineage import Log
from passerelle.workspace import Workspace
from tests.hospital import write_feed, write_source

Event = dict[str, Any]
TEXT = {"type": "string", "minLength": 1}
URI = {"type": "string", "pattern": r"^(urn:passerelle:\S+|https://openlineage\.io/spec/\S+)$"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$"}


def record(required: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | more}


# What the specification asks of a RunEvent (2-0-2) and of the facets that we write, in our words.
FACET = record({"_producer": URI, "_schemaURL": URI})
FACETS = {"type": "object", "additionalProperties": FACET}
TRANSFORMATION = record({"type": {"enum": ["DIRECT", "INDIRECT"]}}, subtype=TEXT, masking={"type": "boolean"})
INPUT = record({"namespace": TEXT, "name": TEXT, "field": TEXT}, transformations={"items": TRANSFORMATION})
LINEAGE = record({"fields": {"additionalProperties": record({"inputFields": {"type": "array", "items": INPUT}})}})
COLUMNS = record({"fields": {"type": "array", "items": record({"name": TEXT}, type=TEXT)}})
VERSION = record({"datasetVersion": TEXT})
NAMED = {"schema": COLUMNS, "columnLineage": LINEAGE, "version": VERSION}
DATASET = record(
    {"namespace": TEXT, "name": TEXT},
    facets=FACETS | {"properties": {name: {"allOf": [FACET, facet]} for name, facet in NAMED.items()}},
    outputFacets=FACETS | {"properties": {"outputStatistics": record({"rowCount": {"type": "integer"}})}},
)
RUN_EVENT = record(
    {
        "eventTime": TIME,
        "producer": URI,
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": record({"runId": {"type": "string", "format": "uuid"}}, facets=FACETS),
        "job": record({"namespace": TEXT, "name": TEXT}),
    },
    eventType={"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
    inputs={"type": "array", "items": DATASET},
    outputs={"type": "array", "items": DATASET},
)
VALID = jsonschema.Draft202012Validator(RUN_EVENT, format_checker=jsonschema.FormatChecker())


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openlineage")
    source, feed = write_source(folder / "tiny"), write_feed(folder / "feed")
    for _ in range(2):
        assert cli(["run", str(source), "--input", str(feed), "--workspace", str(folder / "W")]) == 0
    return folder / "W"


def told(workspace: Path, run: int) -> list[Event]:
    path = sorted((workspace / "lineage").glob("*.ndjson"))[run]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def output(workspace: Path, step: str, name: str) -> Event:
    (event,) = [e for e in told(workspace, 0) if e["job"]["name"] == f"tiny.{step}" and e["eventType"] == "COMPLETE"]
    (found,) = [dataset for dataset in event["outputs"] if dataset["name"] == name]
    return found


def columns(dataset: Event) -> dict[str, list[tuple[str, str, str, bool]]]:
    return {
        column: [
            (i["name"], i["field"], i["transformations"][0]["subtype"], i["transformations"][0]["masking"])
            for i in made["inputFields"]
        ]
        for column, made in dataset["facets"]["columnLineage"]["fields"].items()
    }


def test_every_event_is_one_of_the_specification(workspace):
    for event in told(workspace, 0) + told(workspace, 1):
        assert [error.message for error in VALID.iter_errors(event)] == []


@pytest.mark.parametrize(
    ("where", "wrong"),
    [("eventTime", "yesterday"), ("producer", "somebody"), ("run", {"runId": "7"}), ("outputs", [{"name": "x"}])],
)
def test_an_event_that_is_none_of_the_specification_is_found(workspace, where, wrong):
    assert not VALID.is_valid(told(workspace, 0)[1] | {where: wrong})


def test_each_step_starts_and_ends_once_under_the_same_run(workspace):
    events = told(workspace, 0)
    steps = ["extract", "map", "check", "publish"]
    assert [(e["job"]["name"], e["eventType"]) for e in events] == [
        (f"tiny.{step}", kind) for step in steps for kind in ("START", "COMPLETE")
    ]
    assert all(a["run"]["runId"] == b["run"]["runId"] for a, b in zip(events[::2], events[1::2], strict=True))
    assert len({event["run"]["facets"]["parent"]["run"]["runId"] for event in events}) == 1


def test_what_is_hashed_at_the_door_is_masked_and_direct_identifiers_do_not_come_in(workspace):
    found = columns(output(workspace, "extract", "bronze.tiny.patient"))
    assert found["ipp"] == [("patient", "ipp", "TRANSFORMATION", True)]
    assert found["sexe"] == [("patient", "sexe", "IDENTITY", False)]
    assert "nom" not in found


def test_a_column_of_the_cdm_names_the_columns_that_it_is_made_of(workspace):
    measurement = output(workspace, "map", "omop.measurement")
    assert columns(measurement)["value_as_number"] == [("bronze.tiny.analyse", "valeur", "TRANSFORMATION", False)]
    assert columns(measurement)["person_id"] == [("bronze.tiny.analyse", "ipp", "TRANSFORMATION", True)]
    assert measurement["outputFacets"]["outputStatistics"]["rowCount"] == 2


def test_a_day_without_changes_writes_nothing(workspace):
    ends = {e["job"]["name"]: e for e in told(workspace, 1) if e["eventType"] == "COMPLETE"}
    assert ends["tiny.map"]["outputs"] == ends["tiny.publish"]["outputs"] == [] and ends["tiny.map"]["inputs"]


def test_no_path_of_the_machine_stands_in_an_event(workspace):
    assert str(workspace.parent) not in json.dumps(told(workspace, 0))


def test_a_step_that_fails_says_so_and_an_unknown_error_only_its_kind(tmp_path):
    log = Log(Workspace(tmp_path / "W"), "run", compile_source(write_source(tmp_path / "tiny")))
    for error in (SourceError("a file is missing", looked=str(tmp_path)), ValueError("ZURBRIGGEN is no number")):
        with pytest.raises(type(error)), log.step("extracted"):
            raise error
    events = [json.loads(line) for line in log.path.read_text(encoding="utf-8").splitlines()]
    assert [event["eventType"] for event in events] == ["START", "FAIL"] * 2
    said = [event["run"]["facets"]["errorMessage"]["message"] for event in events[1::2]]
    assert said == ["a file is missing", "ValueError"]
    assert [error.message for event in events for error in VALID.iter_errors(event)] == []
