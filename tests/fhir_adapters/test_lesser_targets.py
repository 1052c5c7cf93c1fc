"""Targets that take less: other types, fewer references, other ways to write; and letters that a person corrects."""

from dataclasses import replace

import pytest

from fhir_adapters.delivery import deliver
from fhir_adapters.example_predictions import HANDWRITING, RESPIRATORY_PEAKS, SEPSIS_STEROIDS
from fhir_adapters.fallback import converted
from fhir_adapters.outbox import open_outbox
from fhir_adapters.rules import errors
from fhir_adapters.sandbox import Abilities, capability, run_sandbox
from passerelle.errors import FhirError, UsageError
from tests.fhir_adapters.fhir_helpers import CLIENT, FAST, Hospital, Server, prediction

NOW = SEPSIS_STEROIDS.index_time


def writing(text):
    return replace(HANDWRITING, document=replace(HANDWRITING.document, text=text))


@pytest.mark.parametrize("abilities", [Abilities(), Abilities(transactions=False), Abilities(update_create=False)],
                         ids=["transaction", "batch", "server ids"])  # fmt: skip
def test_a_new_reading_replaces_the_document_that_it_corrects(tmp_path, abilities):
    outbox = open_outbox(tmp_path / "o.sqlite")
    with run_sandbox(abilities=abilities) as url:
        server = Server(url)
        for text in ("Lecture un.", "Lecture deux.", "Lecture un."):
            outbox.enqueue([writing(text)])
            report = deliver(outbox, url, Hospital(), options=FAST)
            assert (report.acked, report.dead, report.remaining) == (1, 0, 0)
            current = [d for d in server.all("DocumentReference") if d["status"] == "current"]
            assert [line for line in current[0]["text"]["div"].split("<li>") if text in line]
            assert len(current) == 1
        documents = server.all("DocumentReference")
        assert sorted(d["status"] for d in documents) == ["current", "superseded"]
        replaced = next(r["target"]["reference"] for r in current[0]["relatesTo"] if r["code"] == "replaces")
        assert replaced in {f"DocumentReference/{d['id']}" for d in documents}
    outbox.close()


def test_a_forecast_arrives_with_its_group_and_without_a_patient(outbox, server, send, hospital):
    outbox.enqueue([RESPIRATORY_PEAKS])
    assert send(as_of=RESPIRATORY_PEAKS.index_time).acked == 1
    (group,), (risk,) = server.all("Group"), server.all("RiskAssessment")
    assert risk["subject"]["reference"] == f"Group/{group['id']}"
    assert hospital.asked == []
    assert [p["probabilityDecimal"] for p in risk["prediction"]] == [34.0, 71.0, 0.4]


def test_a_stay_is_named_as_the_hospital_names_it(outbox, server, send):
    outbox.enqueue([SEPSIS_STEROIDS])
    send(as_of=NOW)
    (risk,) = server.all("RiskAssessment")
    assert risk["encounter"]["type"] == "Encounter"
    assert "urn:passerelle" not in str(risk)


@pytest.mark.parametrize("form", ["DocumentReference", "Observation"])
def test_a_target_without_risk_assessment_gets_it_in_another_form(outbox, server, send, form):
    outbox.enqueue([SEPSIS_STEROIDS])
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(capability.TYPES, "RiskAssessment")
        assert send(as_of=NOW, options={"fallback": (form,)}).acked == 1
    (found,) = server.all(form)
    assert server.all("RiskAssessment") == []
    assert errors(found) == []
    assert found["subject"]["identifier"]["value"] == "IPPSECRET1003"
    assert server.all("Provenance")[0]["target"][0]["reference"] == f"{form}/{found['id']}"


def test_a_conversion_that_does_not_exist_is_told():
    with pytest.raises(FhirError, match="cannot be sent as Flag"):
        converted({"resourceType": "RiskAssessment"}, "Flag")


def test_one_that_is_refused_does_not_hold_the_others_of_its_bundle(outbox, server, send):
    outbox.enqueue([prediction(line) for line in range(8)])
    two = [{"system": "urn:oid:1.2.250.1.999", "value": "IPPSECRET1003"}]
    for id_ in ("p1", "p2"):
        server.put({"resourceType": "Patient", "id": id_, "identifier": two})
    server.fail("echo")  # the whole Bundle is refused once; its halves are not
    report = send()
    assert (report.acked, report.dead) == (7, 1)
    assert len(server.all("DetectedIssue")) == 7


def test_a_bundle_is_no_larger_than_the_target_takes(outbox, server, send):
    outbox.enqueue([prediction(line) for line in range(6)])
    small, large = send(limit=3, options={"max_bytes": 12_000}), send()
    assert (small.acked, large.acked) == (3, 3)
    assert small.requests > large.requests


def test_a_letter_is_corrected_and_sent(outbox, server, send):
    outbox.enqueue([prediction(1, category="no  code"), prediction(2)])
    (letter,) = outbox.dead_letters()
    resource = outbox.dead_letter(letter["id"])
    resource["code"]["coding"][0]["code"] = "DOSE"
    outbox.correct(letter["id"], resource)
    assert send().acked == 2
    assert outbox.dead_letters() == []
    assert {i["code"]["coding"][0]["code"] for i in server.all("DetectedIssue")} == {"DOSE", "DOSECOND"}


def test_a_correction_must_be_valid_and_of_the_same_resource(outbox):
    outbox.enqueue([prediction(1, category="no  code")])
    (letter,) = outbox.dead_letters()
    resource = outbox.dead_letter(letter["id"])
    with pytest.raises(UsageError, match="cannot be sent"):
        outbox.correct(letter["id"], resource)  # as broken as before
    resource["code"]["coding"][0]["code"] = "DOSE"
    with pytest.raises(UsageError, match="cannot be sent"):
        outbox.correct(letter["id"], resource | {"id": "another"})
    with pytest.raises(UsageError, match="no dead letter"):
        outbox.correct(999, resource)


def test_a_letter_with_a_newer_content_is_not_sent_any_more(outbox):
    outbox.enqueue([prediction(1, category="no  code")])
    (letter,) = outbox.dead_letters()
    resource = outbox.dead_letter(letter["id"])
    resource["code"]["coding"][0]["code"] = "DOSE"
    outbox.enqueue([prediction(1)])
    with pytest.raises(UsageError, match="cannot be sent"):
        outbox.correct(letter["id"], resource)


def test_a_target_that_comes_later_is_offered_what_still_holds(outbox, server):
    outbox.enqueue([prediction(1), prediction(2), SEPSIS_STEROIDS], "dpi")
    assert outbox.offer("pharmacie", ["prescription_review"]) == 2
    assert outbox.offer("pharmacie", ["prescription_review"]) == 0
    assert deliver(outbox, server.url, Hospital(), target="pharmacie", options=FAST).acked == 2


def test_a_judgement_outlives_the_next_score(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    key = prediction(1).prediction_id
    mitigation = {"action": {"text": "dose réduite"}, "author": {"reference": "Practitioner/ph1"}}
    assert outbox.mitigate(key, mitigation, "Dose réduite par le pharmacien.")
    assert not outbox.mitigate(key, mitigation, "Dose réduite par le pharmacien.")  # said before
    send()
    (issue,) = server.all("DetectedIssue")
    assert (issue["status"], issue["mitigation"]) == ("final", [mitigation])
    assert "Vue par un professionnel" in issue["text"]["div"]
    assert outbox.enqueue([prediction(1)]).unchanged == 1
    outbox.enqueue([prediction(1, probability=0.91)])
    send()
    (issue,) = server.all("DetectedIssue")
    assert (issue["status"], issue["mitigation"]) == ("amended", [mitigation])
    assert CLIENT.get(f"{server.url}/DetectedIssue/{key}/_history").json()["total"] == 3


def test_nobody_judges_what_is_not_there(outbox):
    assert not outbox.mitigate("nothing", {"action": {"text": "x"}}, "x")
