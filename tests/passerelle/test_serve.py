"""``passerelle serve``: the model behind the hooks, and the command as a process."""

import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fhir_adapters.cds_hooks.messages import check_response
from fhir_adapters.reidentifier import PatientIdentity
from fhir_adapters.service.record.medication import finder
from fhir_adapters.service.record.orders import draft_row
from fhir_adapters.service.reviewer import Question
from models.prescription_review.features import build_cases
from models.prescription_review.predict import ReadyModel
from models.prescription_review.review import OrderReview
from models.prescription_review.train import train
from models.view_store import read_views
from omop.views.contract import views
from passerelle.cli import run
from passerelle.errors import UsageError
from passerelle.reidentifier import CrosswalkReidentifier
from passerelle.reviewer import ModelReviewer, ReviewerApart
from passerelle.serve import serve
from passerelle.settings import Settings
from tests.models.hospital_views import generate

SIGN = "/cds-services/prescription-review-order-sign"


@pytest.fixture(scope="module")
def store():
    return generate(patients=400, seed=7)


@pytest.fixture(scope="module")
def workspace(store, tmp_path_factory):
    """A workspace with a trained model, whose views lie in a DuckDB file; it has no source, so it knows nobody."""
    import duckdb

    folder = tmp_path_factory.mktemp("W")
    (folder / "workspace.json").write_text(json.dumps({"buckets": 1, "secrets": "", "sources": {}}))
    with duckdb.connect(folder / "views.duckdb") as connection:
        connection.execute("CREATE SCHEMA views_v1")
        connection.execute("CREATE TABLE views_v1.contract AS SELECT 'v1' AS contract, 'test' AS snapshot_id")
        for name, view in views().items():
            rows = whole(store.tables.get(name), view.schema)
            connection.register("rows", rows)
            connection.execute(f"CREATE TABLE views_v1.{name} AS SELECT * FROM rows")
            connection.unregister("rows")
    (folder / "mlruns").mkdir()
    train(store, tracking_uri=f"sqlite:///{folder}/mlruns/mlflow.sqlite")
    return folder


def whole(table, schema):
    """A view's table with every column of the contract."""
    if table is None:
        return schema.empty_table()
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


@pytest.fixture(scope="module")
def uri(workspace):
    return f"sqlite:///{workspace}/mlruns/mlflow.sqlite"


def as_order(row):
    """What a record system would send for a row of the view."""
    instruction = {"route": {"text": row["route_source"]}}
    instruction["timing"] = {"repeat": {"frequency": row["doses_per_day"], "period": 1, "periodUnit": "d"}}
    if row["dose_value"] is not None:
        instruction["doseAndRate"] = [{"doseQuantity": {"value": row["dose_value"], "unit": row["dose_unit"]}}]
    coding = [{"system": "http://www.whocc.no/atc", "code": row["atc_code"]}]
    return {
        "resourceType": "MedicationRequest", "id": f"o{row['drug_exposure_id']}", "status": "draft", "intent": "order",
        "medicationCodeableConcept": {"coding": coding, "text": row["concept_name"]},
        "dosageInstruction": [instruction], "authoredOn": row["started_at"].isoformat(),
    }  # fmt: skip


def question(row, **facts):
    order, at = as_order(row), row["started_at"]
    draft = draft_row(order, finder(None), person_id=row["person_id"], at=at)
    return Question(row["person_id"], at, [draft], facts)


def without_ids(prediction, row_id):
    """The prediction with the order's own number taken out, which a draft cannot have."""
    evidence = [replace(e, row_id=0) if e.row_id == row_id else e for e in prediction.evidence]
    return replace(prediction, occasion="", evidence=tuple(evidence))


def test_a_draft_is_judged_as_the_stored_order_that_it_becomes(store, uri):
    """Orders are taken out of the views, sent as FHIR, and judged beside the others: nothing may differ."""
    rows = store.tables["drug_orders"].to_pylist()
    chosen = list({row["person_id"]: row for row in rows}.values())
    taken = pa.array([row["drug_exposure_id"] for row in chosen])
    left = store.tables["drug_orders"].filter(
        pc.invert(pc.is_in(store.tables["drug_orders"]["drug_exposure_id"], taken))
    )
    reviewer = ModelReviewer(OrderReview(lambda: store.but(drug_orders=left), uri))
    asked = [question(row) for row in chosen]
    found = [one for start in range(0, len(asked), 37) for one in reviewer.review(asked[start : start + 37])]

    ready = ReadyModel.load(uri)
    config = ready.artefact.config.model_copy(update={"judged_within_hours": 0})  # as it is written, like a draft
    cases = build_cases(read_views(store, config.views, model=config.model), config, ready.knowledge)
    stored = {p.occasion: p for p in ready.predictions(cases, store)}
    compared = 0
    for row, (question_, alerts) in zip(chosen, zip(asked, found, strict=True), strict=True):
        expected = stored.get(f"drug_exposure:{row['drug_exposure_id']}")
        assert len(alerts) == (expected is not None)
        if expected is not None:
            compared += 1
            draft = question_.drafts[0]["drug_exposure_id"]
            assert without_ids(alerts[0], draft) == without_ids(expected, row["drug_exposure_id"])
    assert compared > 10


def test_a_code_of_the_hospital_is_understood_as_its_own_orders_are(store, uri):
    renamed = store.tables["drug_orders"]
    local = pa.array([f"UCD-{code}" for code in renamed["atc_code"].to_pylist()])
    renamed = renamed.set_column(renamed.column_names.index("source_code"), "source_code", local)
    reviewer = OrderReview(lambda: store.but(drug_orders=renamed), uri)
    row = renamed.to_pylist()[0]
    by_code = reviewer._coded({"source_code": row["source_code"]})
    assert by_code["atc_code"] == row["atc_code"] and by_code["drug_concept_id"] == row["drug_concept_id"]
    assert reviewer._coded({"source_code": "never seen"}) == {"source_code": "never seen"}


def telling_all(store, uri):
    """A reviewer that shows every order: what it knew is then seen in its evidence."""
    orders = OrderReview(lambda: store, uri)
    orders.model = replace(orders.model, artefact=replace(orders.model.artefact, threshold=0.0))
    return ModelReviewer(orders)


def metformin(store):
    return next(r for r in store.tables["drug_orders"].to_pylist() if r["atc_code"] == "A10BA02" and r["dose_value"])


def creatinine(at, value=512.0):
    return {"measurement_id": -5, "measurement_concept_id": 0, "concept_name": "creatinine", "unit": "umol/L",
            "value": value, "measured_at": at, "available_at": at}  # fmt: skip


def test_what_the_record_system_knows_today_is_added(store, uri):
    reviewer, row = telling_all(store, uri), metformin(store)
    one = replace(question(row), at=row["started_at"] + timedelta(days=60))
    ((told,),) = reviewer.review([replace(one, fresh={"lab_results": [creatinine(one.at)]})])
    assert told.category == "LAB" and any(e.row_id == -5 and "512" in e.label for e in told.evidence)


def test_what_the_views_must_have_already_is_not_added_twice(store, uri):
    reviewer, row = telling_all(store, uri), metformin(store)
    one = replace(question(row), at=row["started_at"] + timedelta(days=60))
    old = creatinine(row["started_at"] - timedelta(days=900))
    assert reviewer.review([replace(one, fresh={"lab_results": [old]})]) == reviewer.review([one])


def test_a_patient_whom_the_views_do_not_know_is_judged_on_what_was_sent(store, uri):
    row = metformin(store)
    fresh = {"persons": [{"year_of_birth": 1943, "birth_date": None, "sex": "F"}],
             "lab_results": [creatinine(row["started_at"])]}  # fmt: skip
    ((told,),) = telling_all(store, uri).review([replace(question({**row, "person_id": -77}), fresh=fresh)])
    assert told.category == "LAB" and told.severity == "high" and told.person_id == -77


def test_patients_are_read_together_and_kept(store, uri):
    reviewer = OrderReview(lambda: store, uri, patients=20)
    people = sorted({row["person_id"]: row for row in store.tables["drug_orders"].to_pylist()}.values(), key=str)
    store.reads.clear()
    for some in (people[:10], people[:10], people[5:15]):
        ModelReviewer(reviewer).review([question(row) for row in some])
    views_read = len(reviewer._views.columns)
    assert len(store.reads) == 2 * views_read  # ten patients, then the five that are new
    ModelReviewer(reviewer).review([question(row) for row in people[15:45]])
    assert len(reviewer._kept) == 30  # those of one question stay, whatever was asked before


def test_the_same_patient_in_two_questions_has_two_answers(store, uri):
    reviewer = ModelReviewer(OrderReview(lambda: store, uri))
    row = store.tables["drug_orders"].to_pylist()[0]
    one, other = question(row), question({**row, "dose_value": 1e6})
    assert reviewer.review([one, other, one]) == [
        reviewer.review([one])[0],
        reviewer.review([other])[0],
        reviewer.review([one])[0],
    ]


# ---- a process


def far_too_high(store, uri):
    """An order whose dose, so written, this small model points at."""
    reviewer = ModelReviewer(OrderReview(lambda: store, uri))
    rows = (row | {"dose_value": 1e6} for row in store.tables["drug_orders"].to_pylist() if row["dose_value"])
    return next(row for row in rows if reviewer.review([question(row)])[0])


def settings_of(workspace):
    return Settings(workspace=workspace, keys_file=workspace / "keys.json")


def test_the_model_works_in_a_process_of_its_own_and_comes_back_when_killed(workspace, store, uri):
    reviewer = ReviewerApart(settings_of(workspace), str(workspace / "views.duckdb"))
    assert reviewer.model.startswith("prescription_review 0.1") and reviewer.snapshot_id == "test"
    row = far_too_high(store, uri)
    first = reviewer.review([question(row)])
    assert first[0]
    (process,) = reviewer._process._processes.values()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert reviewer.review([question(row)]) == first
    reviewer.close()


@contextmanager
def started(workspace, *options):
    """The command as a person types it; gives its address."""
    words = [sys.executable, "-m", "passerelle", "serve", "--workspace", str(workspace), "--port", "0",
             "--on", str(workspace / "views.duckdb"), *options]  # fmt: skip
    environment = os.environ | {"PASSERELLE_KEYS_FILE": str(workspace / "keys.json")}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stderr.readline()
        assert line.startswith("serving http://127.0.0.1:"), line + process.stderr.read()
        yield process, line.split()[1].rstrip(";"), line
    finally:
        process.kill()
        process.wait()


def test_it_serves_until_it_is_told_to_end(workspace, store, uri):
    row = far_too_high(store, uri)
    with started(workspace, "--demo") as (process, url, line):
        assert "DEMO" in line
        assert httpx.get(f"{url}/ready").json()["model"].startswith("prescription_review")
        person = str(row["person_id"])
        order = as_order(row) | {"subject": {"reference": f"Patient/{person}"}}
        patient = {"resourceType": "Patient", "id": person,
                   "identifier": [{"system": "urn:passerelle:person", "value": person}]}  # fmt: skip
        drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
        body = {"hook": "order-sign", "hookInstance": str(uuid.uuid4()), "prefetch": {"patient": patient},
                "context": {"userId": "Practitioner/1", "patientId": person, "draftOrders": drafts}}  # fmt: skip
        answer = httpx.post(url + SIGN, json=body).json()
        assert not check_response(answer) and len(answer["cards"]) == 1
        assert "server" not in httpx.get(f"{url}/health").headers
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0 and "Traceback" not in process.stderr.read()
    # What was signed a moment before the end is there.
    with started(workspace, "--demo") as (process, url, _):
        found = httpx.get(f"{url}/fhir/DetectedIssue").json()["entry"]
        assert [e["resource"]["id"] for e in found] == [answer["cards"][0]["uuid"]]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "nobody would be let in"),
        (["--demo", "--host", "0.0.0.0"], "a demo is for this machine alone"),
        (["--demo", "--clients", "{W}/workspace.json"], "a demo asks nobody who he is"),
    ],
)
def test_a_command_that_lets_in_nobody_or_everybody_is_refused(workspace, capsys, options, told):
    words = [word.format(W=workspace) for word in options]
    assert run(["serve", "--workspace", str(workspace), *words]) == 2
    assert told in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(workspace):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="cannot be used"):
            serve(settings_of(workspace), host="127.0.0.1", port=port, clients=None, demo=True, on=None, ready=print)


def test_a_folder_that_is_no_workspace_is_said(tmp_path, capsys):
    assert run(["serve", "--workspace", str(tmp_path), "--demo"]) == 2
    assert "there is no workspace here" in capsys.readouterr().err


class Crosswalk:
    """Two people and a stay of one source."""

    def open(self, source, *, why):
        rows = [
            ("person", 1, "IPP1", "ipp"), ("person", 1, "INS1", "ins"), ("person", 1, "11", "person_id"),
            ("person", 2, "IPP2", "ipp"), ("person", 2, "12", "person_id"),
            ("stay", 5, "IEP5", "iep"), ("stay", 5, "55", "visit_occurrence_id"),
        ]  # fmt: skip
        names = ("kind", "hash", "identifier", "attribute")
        return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def test_the_crosswalk_is_read_both_ways():
    known = CrosswalkReidentifier(Crosswalk(), ("chu",), "test", {"chu": "ipp"}, {"chu": "iep"})
    assert known.person_of("urn:passerelle:chu:person", "IPP2") == 12
    assert known.person_of("urn:oid:1.2.250.1.213.1.4.8", "INS1") == 11
    assert known.person_of("urn:passerelle:other:person", "IPP2") is None is known.person_of("urn:oid:9", "IPP1")
    assert known.visit_of("urn:passerelle:chu:stay", "IEP5") == 55 and known.visit_of("urn:oid:9", "IEP5") is None
    identity = known.identify(12, "test")
    assert isinstance(identity, PatientIdentity)
    assert known.person_of(identity.ipp_system, identity.ipp) == 12
