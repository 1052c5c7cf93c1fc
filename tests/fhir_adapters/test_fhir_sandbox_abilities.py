"""The sandbox stands in for lesser servers: each switch behaves as the server that it imitates."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from fhir_adapters.r4b import structure_problems
from fhir_adapters.rules import errors
from fhir_adapters.sandbox import Abilities, abilities, run_sandbox
from fhir_adapters.sandbox.capability import statement
from tests.fhir_adapters.fhir_cases import ISSUE, NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT, Server

PRESETS = {name: value for name, value in vars(abilities).items() if isinstance(value, Abilities)}


def device(value="1", **more):
    return {"resourceType": "Device", "text": NARRATIVE, "identifier": [{"system": "urn:x", "value": value}]} | more


def issue(author="Device/d", **more):
    return {
        "resourceType": "DetectedIssue",
        "text": NARRATIVE,
        "status": "final",
        "author": {"reference": author},
    } | more


def entry(method, url, resource, full_url=None, **request):
    return {
        "request": {"method": method, "url": url} | request,
        "resource": resource,
        "fullUrl": full_url or f"https://x/{url}",
    }


def send(url, *entries, kind="transaction"):
    return CLIENT.post(url, json={"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def statuses(reply):
    assert reply.status_code == 200, reply.text
    return [e["response"]["status"][:3] for e in reply.json()["entry"]]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("secured", [False, True])
def test_the_statement_of_every_preset_is_valid_r4(name, secured):
    told = statement("https://x/fhir", PRESETS[name], secured=secured)
    assert errors(told) == []
    assert structure_problems(told) == []


def told_of(able):
    rest = statement("https://x/fhir", able)["rest"][0]
    return {i["code"] for i in rest["interaction"]}, {r["type"]: r for r in rest["resource"]}


def test_the_statement_follows_the_abilities_or_lies_about_them():
    system, types = told_of(Abilities(transactions=False, update_create=False, conditional_update=False))
    assert "transaction" not in system and "batch" in system
    assert [types["Device"][n] for n in ("updateCreate", "conditionalCreate", "conditionalUpdate")] == [
        False,
        True,
        False,
    ]
    assert "transaction" in told_of(abilities.NO_TRANSACTIONS)[0]  # it does not
    system, types = told_of(abilities.STRICT_REFERENCES)
    assert "batch" not in system and types["Device"]["updateCreate"] is False  # it does both
    _, types = told_of(abilities.READ_MOSTLY)
    assert {"code": "create"} in types["DocumentReference"]["interaction"]
    assert {"code": "create"} not in types["DetectedIssue"]["interaction"]


def test_without_transactions_and_batches_each_is_refused():
    with run_sandbox(abilities=abilities.NO_TRANSACTIONS) as url:
        put = entry("PUT", "Device/a", device(id="a"))
        assert [send(url, put, kind=kind).status_code for kind in ("batch", "transaction")] == [422, 422]
    with run_sandbox(abilities=abilities.BATCH_ONLY) as url:
        assert [send(url, put, kind=kind).status_code for kind in ("batch", "transaction")] == [200, 422]


def test_a_transaction_run_in_silence_as_a_batch_leaves_half_of_it():
    with run_sandbox(abilities=abilities.SILENT_BATCH) as url:
        reply = send(url, entry("PUT", "DetectedIssue/i", issue("urn:uuid:d", id="i")),
                     entry("POST", "Device", device(), "urn:uuid:d"),
                     entry("PUT", "Device/b", device("2", id="b"), ifMatch='W/"7"'))  # fmt: skip
        assert reply.json()["type"] == "transaction-response"
        assert statuses(reply) == ["201", "201", "412"]
        author = Server(url).all("DetectedIssue")[0]["author"]["reference"]
        assert author == f"Device/{Server(url).all('Device')[0]['id']}"
        version = CLIENT.get(f"{url}/DetectedIssue/i").json()["meta"]["versionId"]
        assert not version.isdigit()


@pytest.mark.parametrize(
    ("able", "entries", "conditional", "status"),
    [
        (Abilities(max_entries=2), 3, False, 413),
        (Abilities(max_entries=2, too_many_entries=400), 3, False, 400),
        (Abilities(max_entries=3), 3, False, 200),
        (Abilities(max_entries=3, max_conditional_entries=2), 3, True, 413),
        (Abilities(max_entries=3, max_conditional_entries=2), 3, False, 200),
        (Abilities(max_bytes=500), 3, False, 413),
    ],
)
def test_a_bundle_that_is_too_large_is_refused(able, entries, conditional, status):
    listed = []
    for number in range(entries):
        where = f"?identifier=urn:x%7C{number}" if conditional else f"/d{number}"
        listed.append(
            entry("PUT", f"Device{where}", device(str(number), **({} if conditional else {"id": f"d{number}"})))
        )
    with run_sandbox(abilities=able) as url:
        reply = send(url, *listed)
        assert reply.status_code == status
        assert errors(reply.json()) == []
        assert len(Server(url).all("Device")) == (entries if status == 200 else 0)


def test_references_that_lead_nowhere_are_refused_where_integrity_is_kept():
    with run_sandbox(abilities=abilities.STRICT_REFERENCES) as url:

        def put(author):
            return CLIENT.put(f"{url}/DetectedIssue/i", json=issue(author, id="i")).status_code

        both = entry("PUT", "DetectedIssue/i", issue(id="i")), entry("PUT", "Device/d", device(id="d"))
        assert (put("Device/d"), send(url, both[0]).status_code) == (400, 400)
        assert Server(url).all("DetectedIssue") == []
        assert send(url, *both).status_code == 200
        assert (put(f"{url}/Device/d"), put(f"{url}/Device/none")) == (200, 400)
        assert (put("https://elsewhere/Device/x"), put("Device/d")) == (200, 200)
        gone = [CLIENT.delete(f"{url}/{path}").status_code for path in ("Device/d", "DetectedIssue/i", "Device/d")]
        assert gone == [409, 204, 204]


def test_a_stale_version_is_409_and_the_same_content_no_new_version():
    with run_sandbox(abilities=abilities.STRICT_REFERENCES) as url:
        CLIENT.put(f"{url}/Device/d", json=device(id="d"))
        assert CLIENT.put(f"{url}/Device/d", json=device(id="d")).headers["etag"] == 'W/"1"'
        assert CLIENT.put(f"{url}/Device/d", json=device("2", id="d")).headers["etag"] == 'W/"2"'
        assert CLIENT.put(f"{url}/Device/d", json=device(id="d"), headers={"If-Match": 'W/"1"'}).status_code == 409


def test_of_two_conditional_updates_of_one_identity_the_second_is_lost():
    with run_sandbox(abilities=abilities.STRICT_REFERENCES) as url:
        twins = [
            entry("PUT", "Device?identifier=urn:x%7C1", device(status=s), f"urn:uuid:{s}")
            for s in ("active", "inactive")
        ]
        assert statuses(send(url, *twins)) == ["201"]
        assert [d["status"] for d in Server(url).all("Device")] == ["active"]


def test_conditional_updates_in_parallel_make_duplicates_where_they_race_and_creates_do_not():
    def at_once(method, address, headers):
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(CLIENT.request, method, address, json=device(), headers=headers) for _ in range(4)]
            return sorted(job.result().status_code for job in jobs)

    with run_sandbox(abilities=Abilities(races=True)) as url:
        created = at_once("POST", f"{url}/Device", {"If-None-Exist": "identifier=urn:x|1"})
        assert created == [200, 200, 200, 201]
    with run_sandbox(abilities=Abilities(races=True)) as url:
        assert at_once("PUT", f"{url}/Device?identifier=urn:x|1", {}).count(201) > 1
        assert CLIENT.put(f"{url}/Device?identifier=urn:x|1", json=device()).status_code == 412


def test_an_identifier_with_a_bar_is_never_found_where_bars_are_not_understood():
    for understood, expected in ((True, [201, 200]), (False, [201, 201])):
        able = Abilities(bars_in_identifiers=understood, validates=False)  # our own rules refuse such a value
        with run_sandbox(abilities=able) as url:
            where = {"If-None-Exist": r"identifier=urn:x|a\|b"}
            replies = [CLIENT.post(f"{url}/Device", json=device("a|b"), headers=where) for _ in range(2)]
            assert [reply.status_code for reply in replies] == expected


def test_a_server_of_plain_r4_knows_no_ai_mark_and_no_extension_of_ours():
    mark, ours, of_r4 = (
        {"meta": {"security": ISSUE["meta"]["security"]}},
        {"extension": [{"url": "https://x/e", "valueCode": "a"}]},
        {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/x", "valueCode": "a"}]},
    )
    with run_sandbox(abilities=abilities.PLAIN_R4) as url:
        replies = [CLIENT.put(f"{url}/DetectedIssue/i", json=issue(id="i", **more)) for more in (mark, ours, of_r4)]
    assert [reply.status_code for reply in replies] == [422, 422, 201]


def test_a_server_that_is_mostly_read_takes_one_type():
    seed = [device(id="d")]
    with run_sandbox(abilities=abilities.READ_MOSTLY, seed=seed) as url:
        assert [d["id"] for d in Server(url).all("Device")] == ["d"]
        for headers in ({}, {"If-None-Exist": "identifier=urn:x|1"}):
            assert CLIENT.post(f"{url}/DetectedIssue", json=issue(), headers=headers).status_code == 405
        document = {
            "resourceType": "DocumentReference",
            "text": NARRATIVE,
            "status": "current",
            "content": [{"attachment": {"title": "x"}}],
        }
        assert CLIENT.post(f"{url}/DocumentReference", json=document).status_code == 201


def test_rules_can_be_switched_off():
    with run_sandbox(abilities=Abilities(validates=False)) as url:
        assert CLIENT.put(f"{url}/Device/d", json=device(id="d", status="on")).status_code == 201
