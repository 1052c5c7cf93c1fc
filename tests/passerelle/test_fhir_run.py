"""A run over FHIR, whatever its form: the same warehouse, and an account of every resource that the server sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.build import build
from fhir_adapters.exact_json import dumps
from fhir_adapters.example import RENAL_DOSE
from omop.lake import Lake
from passerelle.cli import run as cli
from passerelle.ledger import ledger
from tests.etl.sources import Loaded
from tests.fhir_hospital import MAPPINGS, NOTE, PATIENT, SOURCE
from tests.hospital import write_source
from tests.passerelle.states import one_engine, seen_by_readers

SENT = [
    NOTE,  # before its patient: the name must be known all the same
    PATIENT,
    PATIENT,
    {"resourceType": "Patient"},
    {"resourceType": "Basic", "id": "b"},
    *(json.loads(dumps(resource)) for resource in build(RENAL_DOSE)),
]


def as_lines(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.ndjson").write_text("\n".join(map(json.dumps, SENT)))


def as_bundle(folder: Path) -> None:
    folder.mkdir()
    entries = [{"resource": resource} for resource in reversed(SENT)]
    (folder / "b.json").write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fhir_run")
    source = write_source(folder / "tiny_fhir", MAPPINGS, SOURCE)
    as_lines(folder / "lines")
    as_bundle(folder / "bundle")
    with one_engine():
        for form in ("lines", "bundle"):
            where = ["--workspace", str(folder / f"W_{form}")]
            assert cli(["run", str(source), "--input", str(folder / form), *where]) == 0
    return {form: folder / f"W_{form}" for form in ("lines", "bundle")}


def test_lines_and_a_bundle_give_the_same_warehouse(runs):
    seen = {form: seen_by_readers(workspace) for form, workspace in runs.items()}
    assert seen["lines"] == seen["bundle"]


def test_every_resource_has_an_account_and_our_own_output_is_excluded(runs):
    for workspace in runs.values():
        accounts: dict[str, Any] = {e["source_table"]: (e["read"], e["rules"]) for e in ledger(Lake(workspace))}
        ours = (1, {"excluded": {"own_ai_output": 1}})
        assert accounts == {
            "patient": (2, {"merged": {"duplicate_row": 1}}),
            "note": (1, {}),
            "resource/Patient": (1, {"quarantined": {"unreadable": 1}}),
            "resource/Basic": (1, {"quarantined": {"unreadable": 1}}),
            "resource/Device": ours,
            "resource/DetectedIssue": ours,
            "resource/Provenance": ours,
        }


def test_a_note_that_comes_before_its_patient_does_not_name_her(runs):
    for workspace in runs.values():
        texts = Loaded(workspace).texts()
        assert "va bien" in texts
        assert "zurbriggen" not in texts
