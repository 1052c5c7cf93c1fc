"""Conditional writes of the sandbox, alone and in bundles, as R4 defines each case."""

import pytest

from fhir_adapters.sandbox import Abilities, run_sandbox
from tests.fhir_adapters.fhir_cases import NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT, Server

WHERE = {"identifier": "urn:x|1"}


def device(value="1", **more):
    return {"resourceType": "Device", "text": NARRATIVE, "identifier": [{"system": "urn:x", "value": value}]} | more


def put(server, resource, where=WHERE, **headers):
    return CLIENT.put(f"{server.url}/Device", params=where, json=resource, headers=headers)


def two_alike(server):
    for id_ in ("a", "b"):
        server.put(device(id=id_))


def test_a_conditional_update_creates_then_updates(server):
    created, updated = put(server, device()), put(server, device(status="inactive"))
    assert (created.status_code, updated.status_code) == (201, 200)
    assert created.json()["id"] == updated.json()["id"]
    assert updated.headers["etag"] == 'W/"2"'


def test_a_conditional_update_of_several_is_refused(server):
    two_alike(server)
    reply = put(server, device())
    assert (reply.status_code, reply.json()["issue"][0]["code"]) == (412, "multiple-matches")


def test_an_id_in_a_conditional_update_must_be_that_of_the_match(server):
    assert put(server, device(id="mine")).json()["id"] == "mine"  # none matched: an update that creates
    assert put(server, device(id="mine")).status_code == 200
    assert put(server, device(id="other")).status_code == 400


def test_a_conditional_update_honours_if_match(server):
    put(server, device())
    assert put(server, device(), **{"If-Match": 'W/"7"'}).status_code == 412
    assert put(server, device(), **{"If-Match": 'W/"1"'}).status_code == 200


def test_a_conditional_delete_deletes_one_and_never_several(server):
    assert CLIENT.delete(f"{server.url}/Device", params=WHERE).status_code == 204
    server.put(device(id="a"))
    assert CLIENT.delete(f"{server.url}/Device", params=WHERE).status_code == 204
    assert CLIENT.get(f"{server.url}/Device/a").status_code == 410
    two_alike(server)
    assert CLIENT.delete(f"{server.url}/Device", params=WHERE).status_code == 412
    assert len(server.all("Device")) == 2


@pytest.mark.parametrize("condition", ["", "identifier=", "unknown=1", "nonsense"])
def test_a_condition_that_asks_for_nothing_is_refused(server, condition):
    server.put(device(id="a"))
    created = CLIENT.post(f"{server.url}/Device", json=device(), headers={"If-None-Exist": condition})
    assert created.status_code in (400, 412)
    for method in ("PUT", "DELETE"):
        reply = CLIENT.request(method, f"{server.url}/Device?{condition}", json=device())
        assert reply.status_code in (400, 405, 412), reply.text
    assert len(server.all("Device")) == 1


@pytest.mark.parametrize(
    ("refused", "headers", "method", "status"),
    [
        (Abilities(conditional_create=False), {"If-None-Exist": "identifier=urn:x|1"}, "POST", 412),
        (Abilities(conditional_update=False), {}, "PUT", 405),
        (Abilities(conditional_update=False), {}, "DELETE", 405),
    ],
)
def test_each_kind_can_be_refused(refused, headers, method, status):
    with run_sandbox(abilities=refused) as url:
        address = f"{url}/Device" + ("" if method == "POST" else "?identifier=urn:x|1")
        assert CLIENT.request(method, address, json=device(), headers=headers).status_code == status
        assert Server(url).all("Device") == []


def test_a_conditional_create_works_where_clients_choose_no_ids():
    with run_sandbox(abilities=Abilities(update_create=False)) as url:
        assert CLIENT.put(f"{url}/Device/mine", json=device(id="mine")).status_code == 405
        assert put(Server(url), device()).status_code == 201
        assert put(Server(url), device(id="mine"), {"identifier": "urn:x|2"}).status_code == 405
