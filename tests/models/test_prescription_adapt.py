"""A model that comes from another hospital learns what is usual here, keeps its budget, and is a version of its own."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from models.prescription_review.adapt import AS_IT_CAME, adapt
from models.prescription_review.artefact import Artefact
from models.prescription_review.evaluate import evaluate
from models.prescription_review.features import build_cases
from models.prescription_review.fitting import adapt_artefact
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.labels import order_labels
from models.prescription_review.predict import predict
from models.prescription_review.scoring import scores_of
from models.prescription_review.train import reproduce
from models.registry import ModelNotFound, Registry
from models.splits import assign, choose_cut
from models.view_store import read_views
from passerelle import study
from passerelle.errors import ContractError, UsageError
from passerelle.settings import load_settings
from tests.models.hospital_views import generate, noisy_after, utc

MODEL = "prescription_review"


def elsewhere(patients=600, seed=21, reviewed=True):
    """A hospital that gives four times the doses."""
    store = generate(patients=patients, seed=seed)
    orders = store.tables["drug_orders"]
    more = pc.multiply(orders["dose_value"], 4.0)
    orders = orders.set_column(orders.column_names.index("dose_value"), "dose_value", more)
    reviews = store.tables["order_reviews"]
    tables = {"drug_orders": orders} | ({} if reviewed else {"order_reviews": reviews.slice(0, 0)})
    return replace(store.but(**tables), snapshot_id="elsewhere")


@pytest.fixture(scope="module")
def registry(trained, tmp_path_factory):
    """A registry of its own, to which the trained model came."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('elsewhere')}/mlflow.db"
    came = Registry(trained.tracking_uri).load(MODEL)
    Registry(uri).log(MODEL, came.folder, params={}, metrics={}, tags=dict(came.tags), plots={}, report={})
    return uri


@pytest.fixture(scope="module")
def there():
    return elsewhere()


@pytest.fixture(scope="module")
def report(registry, there):
    return adapt(there, tracking_uri=registry)


def test_the_alerts_are_within_the_budget_again(report, registry, there, advice):
    assert report.alerts["alerts_per_100"] == pytest.approx(5, abs=3)
    orders = there.tables["drug_orders"].num_rows

    def alerts(version):
        found = predict(there, tracking_uri=registry, version=version)
        return sum(one.occasion.startswith("drug_exposure:") for one in found)

    now = alerts(2)
    assert now < 0.07 * orders and not advice()
    assert alerts(1) > 0.12 * orders and "passerelle adapt prescription_review" in advice()
    assert any("as the model came" in note for note in report.notes)


def test_it_is_judged_beside_itself_as_it_came(report):
    assert list(report.evaluation["scores"])[-1] == AS_IT_CAME
    assert report.evaluation["gain_over"][AS_IT_CAME]["auroc"]["low"] > 0
    assert report.evaluation["scores"]["model"]["auroc"]["low"] > 0.8


def test_it_is_a_version_of_its_own_that_evaluates_and_predicts(report, registry, there):
    assert (report.action, report.model_version) == ("adapt", "0.1.2")
    again = evaluate(there, tracking_uri=registry)  # on the test part of this hospital
    assert again.model_sha256 == report.model_sha256
    assert again.evaluation["rows"] == report.evaluation["rows"]
    assert {p.model_version for p in predict(there, tracking_uri=registry)} == {"0.1.2"}


def test_the_learners_stay_and_what_they_are_told_changes(report, registry):
    came, now = (Artefact.read(Registry(registry).load(MODEL, version=number).folder) for number in (1, 2))
    assert (now.learner, now.problem, now.categories) == (came.learner, came.problem, came.categories)
    assert not now.learned.doses.counts.equals(came.learned.doses.counts)
    before, after = (one.learned.objections.counts.set_index(["level", "key"])["orders"] for one in (came, now))
    assert (after.reindex(before.index) >= before).all() and after.sum() > before.sum()
    assert now.cut != came.cut and now.threshold != came.threshold


def test_adapting_again_begins_from_the_model_as_it_came(report, registry, there):
    again = adapt(there, tracking_uri=registry)
    assert again.model_sha256 == report.model_sha256 and again.model_version == report.model_version
    assert again.evaluation == report.evaluation and again.run_id != report.run_id


def test_a_run_is_reproducible_from_its_id(report, registry, there):
    assert reproduce(there, tracking_uri=registry, run_id=report.run_id)
    assert not reproduce(elsewhere(seed=22), tracking_uri=registry, run_id=report.run_id)


def test_nothing_after_the_cut_teaches_it(trained, there):
    """Noise in all that became available after the calibration part changes no byte of the adapted model."""
    came = Artefact.read(Registry(trained.tracking_uri).load(MODEL).folder)
    config = came.config

    def described(store):
        views = read_views(store, {**config.views, **config.labels}, model=MODEL)
        cases = build_cases(views, config, load_knowledge())
        return cases, views["order_reviews"]

    cases, reviews = described(there)
    times = cases.orders["index_time"].to_numpy()
    cut = choose_cut(times, calibration_share=0.15, test_share=0.3)
    end = utc(str(cut.test_start))

    def adapted(cases, reviews):
        orders = cases.orders
        part = assign(orders["index_time"].to_numpy(), orders["person_id"].to_numpy(), cut)
        labels = order_labels(reviews, orders, as_of=cut.test_start)
        return adapt_artefact(came, cases, labels, part, cut, load_knowledge())

    noisy = described(noisy_after(there, end))
    before, after = adapted(cases, reviews), adapted(*noisy)
    for name in ("learned", "calibrator", "threshold", "patients_threshold"):
        one, other = (getattr(artefact, name) for artefact in (before, after))
        if name == "learned":
            assert one.doses.counts.equals(other.doses.counts)
            assert one.associations.counts.equals(other.associations.counts)
            assert one.objections.counts.equals(other.objections.counts)
        else:
            assert one == other, name


def test_without_reviews_it_learns_what_is_usual_and_keeps_its_probabilities(registry, trained):
    store = elsewhere(seed=23, reviewed=False)
    found = adapt(store, tracking_uri=registry, version=1)
    assert found.evaluation == {} and "no reviewed orders" in str(found)
    assert any("still those of the hospital" in note for note in found.notes)
    came, now = (
        Artefact.read(Registry(registry).load(MODEL, **which).folder)
        for which in ({"version": 1}, {"run_id": found.run_id})
    )
    assert now.calibrator == came.calibrator
    assert now.learned.objections.counts.equals(came.learned.objections.counts)
    orders = store.tables["drug_orders"].num_rows
    version = int(found.model_version.rpartition(".")[2])
    assert len(predict(store, tracking_uri=registry, version=version)) < 0.2 * orders


def test_the_reviews_change_the_probabilities_and_no_rank(trained, there):
    came = Artefact.read(Registry(trained.tracking_uri).load(MODEL).folder)
    config = came.config
    views = read_views(there, {**config.views, **config.labels}, model=MODEL)
    cases = build_cases(views, config, load_knowledge())
    label = order_labels(views["order_reviews"], cases.orders)["label"].to_numpy(float)
    reviewed, known = cases.only(~np.isnan(label)), label[~np.isnan(label)]
    told = came.recalibrated(reviewed, known)
    before, after = (scores_of(one, reviewed, known)["orders"] for one in (came, told))
    assert (before.scores["model"] == after.scores["model"]).all()
    assert abs(after.probability.mean() - known.mean()) < 0.01 < abs(before.probability.mean() - known.mean())
    accepted = came.recalibrated(reviewed.only(known == 0), known[known == 0])
    assert accepted.calibrator == came.calibrator  # one kind tells nothing


@pytest.fixture(scope="module")
def packed(trained, tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "review.study.zip"
    study.pack(load_settings(workspace=file.parent, mlflow_uri=trained.tracking_uri), MODEL, file)
    return file


def test_a_packed_model_is_adapted_and_both_are_registered(packed, tmp_path, there, report):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    found = study.adapt(packed, MODEL, there, uri, 0)
    assert found.model_sha256 == report.model_sha256  # the way that it came changes nothing
    run = Registry(uri).run(MODEL, found.run_id)
    came = Registry(uri).run(MODEL, run.tags["adapted_from"])
    assert (came.version, run.version) == (1, 2) and came.tags["came_as"] == "0.1.1"
    assert reproduce(there, tracking_uri=uri, run_id=found.run_id)


def test_what_cannot_be_adapted_is_refused_and_leaves_nothing(packed, tmp_path, there):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(ContractError):
        study.adapt(packed, MODEL, replace(there, contract="v2"), uri, 0)
    with pytest.raises(UsageError, match="there is no model"):
        study.adapt(packed, "nothing", there, uri, 0)
    with pytest.raises(ModelNotFound, match="no trained prescription_review"):
        adapt(there, tracking_uri=uri)


def test_the_report_is_json(report):
    assert json.loads(report.to_json())["action"] == "adapt"
