"""Search and history of the sandbox: what is found, page by page."""

from urllib.parse import parse_qs, urlsplit

import pytest

from fhir_adapters.refused import Refused
from fhir_adapters.rules import errors
from fhir_adapters.sandbox import Abilities
from fhir_adapters.sandbox.identity import decide
from fhir_adapters.sandbox.interaction import Interaction
from fhir_adapters.sandbox.operations import carry_out
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.search_dates import date_test
from tests.fhir_adapters.fhir_cases import NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT


def patient(value, **more):
    return {"resourceType": "Patient", "text": NARRATIVE, "identifier": [{"system": "urn:ipp", "value": value}]} | more


def issue(id_, patient_id, **more):
    author = {"reference": "Device/d"}
    subject = {"reference": f"Patient/{patient_id}"}
    return {
        "resourceType": "DetectedIssue", "id": id_, "text": NARRATIVE, "status": "final",
        "patient": subject, "author": author,
    } | more  # fmt: skip


def found(server, path, **params):
    reply = CLIENT.get(f"{server.url}/{path}", params=params)
    assert reply.status_code == 200, reply.text
    assert errors(reply.json()) == []
    return reply.json()


def ids(bundle):
    return [e["resource"]["id"] for e in bundle.get("entry", ()) if e["search"]["mode"] == "match"]


def following(bundle):
    return next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


@pytest.fixture
def five(server):
    server.put({"resourceType": "Device", "id": "d", "text": NARRATIVE})
    for number in range(5):
        identifier = [{"system": f"urn:s{number % 2}", "value": f"v{number}"}]
        server.put(issue(f"i{number}", f"p{number % 2}", identifier=identifier))
    return server


def test_a_comma_is_or_and_a_repeated_parameter_is_and(five):
    assert ids(found(five, "DetectedIssue", _id="i1,i3,none")) == ["i1", "i3"]
    assert ids(found(five, "DetectedIssue", identifier="urn:s0|v0,v3")) == ["i0", "i3"]
    assert ids(found(five, "DetectedIssue", patient="p1", identifier="urn:s1|v1,urn:s1|v4")) == ["i1"]
    assert found(five, "DetectedIssue", **{"identifier": ["urn:s0|", "v2"]})["total"] == 1
    assert found(five, "DetectedIssue", **{"identifier": ["urn:s1|", "v2"]})["total"] == 0
    assert ids(found(five, "DetectedIssue", patient="Patient/p1")) == ["i1", "i3"]
    assert ids(found(five, "DetectedIssue", patient="https://x/fhir/Patient/p1")) == ["i1", "i3"]


def test_signs_that_separate_can_be_escaped(server):
    server.put(patient("a,b$c", id="p1"))
    server.put({"resourceType": "Patient", "id": "p2", "text": NARRATIVE, "identifier": [{"value": "none"}]})
    assert ids(found(server, "Patient", identifier=r"urn:ipp|a\,b\$c")) == ["p1"]
    assert ids(found(server, "Patient", identifier="urn:ipp|a,b$c")) == []
    assert ids(found(server, "Patient", identifier="|none")) == ["p2"]


def test_pages_are_stable_and_their_links_tell_nothing(five):
    first, same = (found(five, "DetectedIssue", _count="2", patient="Patient/p0") for _ in range(2))
    assert (first["total"], ids(first)) == (3, ["i0", "i2"])
    five.put(issue("i6", "p0"))
    assert set(parse_qs(urlsplit(following(first)).query)) == {"_page"}
    assert "Patient" not in following(first) and following(first) != following(same)  # drawn, not made of the search
    for _ in range(2):  # a page may be asked for again
        second = CLIENT.get(following(first)).json()
        assert (second["total"], ids(second), following(second)) == (3, ["i4"], None)
    assert CLIENT.get(f"{five.url}?_page=unknown").status_code == 410


def test_a_search_by_post_goes_on_without_an_identity_in_a_url(server):
    for number in range(3):
        server.put(patient("SECRET", id=f"p{number}"))
    form = {"identifier": "urn:ipp|SECRET", "_count": "2"}
    first = CLIENT.post(f"{server.url}/Patient/_search", data=form).json()
    assert "SECRET" not in following(first)
    assert ids(first) + ids(CLIENT.get(following(first)).json()) == ["p0", "p1", "p2"]
    wrong = {"Content-Type": "application/json"}
    assert CLIENT.post(f"{server.url}/Patient/_search", content=b"{}", headers=wrong).status_code == 415


def test_results_are_sorted_counted_and_cut_as_asked(five):
    five.put(issue("i0", "p0", detail="changed last"))
    assert ids(found(five, "DetectedIssue", _sort="-_lastUpdated", _count="1")) == ["i0"]
    assert ids(found(five, "DetectedIssue", _sort="_lastUpdated"))[-1] == "i0"
    counted = found(five, "DetectedIssue", _summary="count")
    assert (counted["total"], "entry" in counted) == (5, False)
    assert found(five, "DetectedIssue", _count="0")["total"] == 5
    part = found(five, "DetectedIssue", _id="i0", _elements="id,patient")["entry"][0]["resource"]
    assert part.keys() == {"resourceType", "id", "meta", "status", "patient"}
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"
    for wrong in ({"_sort": "status"}, {"_summary": "text"}, {"_count": "-1"}, {"_lastUpdated": "soon"}, {"a.b": "c"}):
        assert CLIENT.get(f"{five.url}/DetectedIssue", params=wrong).status_code == 400


def test_a_search_in_time_takes_several_bounds(five):
    all_of_them = found(five, "DetectedIssue", _sort="_lastUpdated")["entry"]
    first, last = (all_of_them[i]["resource"]["meta"]["lastUpdated"] for i in (0, -1))
    assert found(five, "DetectedIssue", _lastUpdated=[f"ge{first}", f"le{last}"])["total"] == 5
    assert found(five, "DetectedIssue", _lastUpdated=[f"gt{last}", "lt2999"])["total"] == 0
    assert found(five, "DetectedIssue", _lastUpdated=["ge2020", "lt2999-01-01T00:00:00+01:00"])["total"] == 5


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("2026-02", "2026-02-28T23:59:59Z", True),
        ("2026-02", "2026-03-01T00:00:00Z", False),
        ("2026-02-28T23:00:00-01:00", "2026-03-01T00:00:00Z", True),
        ("ge2026-02-28", "2026-02-28", True),
        ("gt2026-02-28", "2026-02-28T12:00:00Z", False),
        ("gt2026-02-28", "2026-03-01T00:00:00Z", True),
        ("le2026-02-28", "2026-02-28T23:59:59.999Z", True),
        ("lt2026-02-28", "2026-02-28T00:00:00Z", False),
        ("ne2026", "2025-12-31T23:00:00-05:00", False),
        ("sa2026-02", "2026-03", True),
        ("eb2026-02", "2026-01", True),
        ("eb2026-02", {"start": "2026-01-01"}, False),
        ("2026-02", {"start": "2026-02-01", "end": "2026-02-10"}, True),
        ("2026-02-28T23:59Z", "2026-02-28T23:59:30Z", True),
        ("ge9999-12", "9999-12-31", None),
        ("2026-13", "2026", None),
    ],
)
def test_dates_are_compared_as_intervals(wanted, value, expected):
    if expected is None:
        with pytest.raises(Refused):
            date_test(wanted)(value)
    else:
        assert date_test(wanted)(value) is expected


def test_what_is_not_known_is_refused_or_ignored_as_the_client_prefers(five):
    at, params = f"{five.url}/DetectedIssue", {"unknown": "1", "_id": "i1", "_sort": "status"}
    assert CLIENT.get(at, params=params).status_code == 400
    assert CLIENT.get(at, params=params, headers={"Prefer": "handling=strict"}).status_code == 400
    lenient = CLIENT.get(at, params=params, headers={"Prefer": "handling=lenient"}).json()
    assert ids(lenient) == ["i1"]
    assert parse_qs(urlsplit(lenient["link"][0]["url"]).query) == {"_id": ["i1"]}  # what was used
    assert lenient["entry"][-1]["search"]["mode"] == "outcome"


def test_provenance_and_device_come_along(five):
    told = {"recorded": "2026-01-01T00:00:00Z", "agent": [{"who": {"reference": "Device/d"}}], "text": NARRATIVE}
    target = [{"reference": "DetectedIssue/i1/_history/1"}]
    five.put({"resourceType": "Provenance", "id": "t", "target": target} | told)
    both = {"_id": "i1", "_include": "DetectedIssue:author", "_revinclude": "Provenance:target"}
    entries = found(five, "DetectedIssue", **both)["entry"]
    assert [(e["resource"]["id"], e["search"]["mode"]) for e in entries] == [
        ("i1", "match"), ("d", "include"), ("t", "include"),
    ]  # fmt: skip
    for wrong in ({"_include": "DetectedIssue:nobody"}, {"_include": "Flag:author"}, {"_revinclude": "x"}):
        assert CLIENT.get(f"{five.url}/DetectedIssue", params=wrong).status_code == 400


def test_a_changed_or_deleted_resource_is_no_longer_found_as_it_was(five):
    five.put(issue("i1", "p9", identifier=[{"system": "urn:new", "value": "n"}]))
    CLIENT.delete(f"{five.url}/DetectedIssue/i3")
    assert found(five, "DetectedIssue", patient="p1")["total"] == 0
    assert found(five, "DetectedIssue", identifier="v1")["total"] == 0
    assert ids(found(five, "DetectedIssue", identifier="urn:new|n")) == ["i1"]


def test_history_of_instance_type_and_system(five):
    CLIENT.delete(f"{five.url}/DetectedIssue/i1")
    of_one = found(five, "DetectedIssue/i1/_history")
    assert [(e["request"]["method"], e["response"]["status"][:3]) for e in of_one["entry"]] == [
        ("DELETE", "204"), ("PUT", "201"),
    ]  # fmt: skip
    assert of_one["entry"][1]["fullUrl"] == f"{five.url}/DetectedIssue/i1"
    assert found(five, "DetectedIssue/_history")["total"] == 6
    first = found(five, "_history", _count="4")
    assert (first["total"], len(first["entry"])) == (7, 4)
    rest = CLIENT.get(following(first)).json()
    assert (len(rest["entry"]), following(rest)) == (3, None)
    last = first["entry"][0]["response"]["lastModified"]
    assert found(five, "_history", _since=last)["total"] >= 1
    assert found(five, "_history", _since="2999-01-01T00:00:00Z")["total"] == 0
    for wrong in ({"_since": "soon"}, {"_sort": "x"}):
        assert CLIENT.get(f"{five.url}/_history", params=wrong).status_code == 400
    assert CLIENT.get(f"{five.url}/DetectedIssue/none/_history").status_code == 404


def test_ten_thousand_resources_do_not_slow_a_conditional_write(monkeypatch):
    repository = Repository("http://x/fhir", Abilities(validates=False))

    def write(number, method="PUT"):
        query = [("identifier", f"urn:ipp|{number}")]
        asked = Interaction(method, ("Patient",), query, {"resourceType": "Patient"} | patient(str(number)))
        return carry_out(repository, decide(repository, asked)).status

    for number in range(10_000):
        write(number)
    looked_at = []
    current = type(repository.store).current
    monkeypatch.setattr(
        type(repository.store), "current", lambda *arguments: looked_at.append(arguments) or current(*arguments)
    )
    assert (write(5000), write(10_001)) == (200, 201)
    assert len(looked_at) < 10
