"""A study between two hospitals: one file out, figures back, nothing of a person."""

import json
import zipfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from models.disclosure import MIN_CELL
from passerelle import study
from passerelle.cli.app import app
from passerelle.errors import ContractError, TerminalError, UsageError
from passerelle.settings import load_settings
from tests.models.hospital_views import generate


@pytest.fixture(scope="module")
def packed(trained, tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "review.study.zip"
    settings = load_settings(workspace=file.parent, mlflow_uri=trained.tracking_uri)
    return file, study.pack(settings, "prescription_review", file)


@pytest.fixture(scope="module")
def results(packed, tmp_path_factory):
    """Three hospitals that the model has never seen."""
    folder = tmp_path_factory.mktemp("results")
    for centre, seed in (("A", 11), ("B", 12), ("C", 13)):
        hospital = replace(generate(patients=250, seed=seed), snapshot_id=f"of-{centre}")
        result = study.run(packed[0], hospital, centre)
        (folder / f"{centre}.json").write_text(json.dumps(result))
    return sorted(folder.iterdir())


def test_a_pack_holds_the_model_the_contract_and_the_plan(packed, trained):
    file, plan = packed
    assert plan["model_sha256"] == trained.report.model_sha256 and plan["min_cell"] == MIN_CELL
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
    assert {"study.json", "README.md", "model/learner.txt", "contract/drug_orders.sql"} <= names


def numbers(value):
    if isinstance(value, dict):
        return [n for inner in value.values() for n in numbers(inner)]
    if isinstance(value, list):
        return [n for inner in value for n in numbers(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_a_result_holds_no_person_and_no_small_cell(results):
    for file in results:
        result = json.loads(file.read_text())
        assert max(numbers(result)) < 10**6  # ids of the invented hospital begin at 2**53
        for row in result["subgroups"]:
            if not row["suppressed"]:
                assert min(row["positives"], row["n"] - row["positives"]) >= MIN_CELL
        assert all(row["n"] >= MIN_CELL for row in result["calibration"]["bins"])
        assert set(result) == {
            "format", "study", "centre", "snapshot_id", "trained_here", "min_cell", "suppressed", "rows", "persons",
            "positives", "scores", "calibration", "subgroups", "views",
        }  # fmt: skip


def test_the_results_are_pooled_with_their_spread(results):
    merged = study.merge(results)
    pooled = merged["discrimination"]["model"]["auroc"]
    alone = [json.loads(file.read_text())["scores"]["model"]["auroc"]["value"] for file in results]
    assert pooled["centres"] == 3 and min(alone) <= pooled["value"] <= max(alone)
    assert pooled["predicted_low"] <= pooled["low"] <= pooled["value"] <= pooled["high"] <= pooled["predicted_high"]
    assert merged["discrimination"]["rule alerts"]["auroc"]["centres"] == 3  # the baseline beside it
    shown = CliRunner().invoke(app, ["study", "merge", *map(str, results)])
    assert shown.exit_code == 0 and "model: auroc" in shown.stdout


def test_a_damaged_pack_is_refused(packed, tmp_path):
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(packed[0]) as archive, zipfile.ZipFile(file, "w") as copy:
        for part in archive.infolist():
            content = archive.read(part)
            copy.writestr(part.filename, content + b" " if part.filename == "model/learner.txt" else content)
    with pytest.raises(TerminalError, match="not the one that it names"):
        study.run(file, generate(patients=20), "A")
    file.write_text("no archive")
    with pytest.raises(TerminalError, match="not a study"):
        study.run(file, generate(patients=20), "A")


def test_a_centre_without_a_view_is_refused_before_anything_is_read(packed):
    store = generate(patients=20)
    store.tables.pop("order_reviews")
    with pytest.raises(ContractError, match="order_reviews"):
        study.run(packed[0], store, "A")
    assert store.reads == []


def test_results_that_do_not_belong_together_are_refused(results, tmp_path):
    with pytest.raises(UsageError, match="twice"):
        study.merge([results[0], results[0]])
    other = json.loads(results[1].read_text())
    other["study"]["model_sha256"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(UsageError, match="several studies"):
        study.merge([results[0], tmp_path / "other.json"])
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(UsageError, match="no result"):
        study.merge([tmp_path / "none.json"])
