"""fhir probe, deliver, verify, reconcile, recall, dead-letters, keys: as a data engineer types them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from fhir_adapters.outbox import open_outbox
from fhir_adapters.sandbox import run_sandbox
from passerelle.cli import run as cli
from tests.fhir_adapters.fhir_helpers import CLIENT, Hospital, Server, prediction

WHY = "Version retirée : les unités d'un automate avaient changé."
VERSION = ["--model", "prescription_review", "--version", "1.0.0"]


@pytest.fixture
def server():
    with run_sandbox() as url:
        yield Server(url)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace with three results in its outbox; the crosswalk is that of an invented hospital."""
    monkeypatch.setattr("passerelle.delivery.reidentifier_of", lambda settings, why: Hospital())
    box = open_outbox(f"sqlite:///{tmp_path}/outbox/outbox.sqlite")
    box.enqueue([prediction(line) for line in range(3)])
    box.close()
    return tmp_path


@pytest.fixture
def passerelle(workspace, server, capsys):
    """Run a fhir command; its exit code and its JSON."""

    def run(*words, url=True):
        where = ["--workspace", str(workspace), "--json", *(["--url", server.url] if url else [])]
        code = cli(["fhir", *words, *where])
        out = capsys.readouterr().out.strip().splitlines()
        return code, json.loads(out[-1]) if out else None

    return run


def test_a_server_is_probed_by_its_statement_and_by_what_it_does(passerelle, server):
    code, found = passerelle("probe")
    assert (code, found["default"]["mode"], found["default"]["client_ids"]) == (0, "transaction", True)
    assert passerelle("probe", "--write")[1]["default"]["mode"] == "transaction"
    assert server.all("Device") == []  # what was tried is gone


def test_results_are_delivered_read_back_and_reconciled(passerelle, server):
    code, told = passerelle("deliver")
    assert (code, told["acked"], told["ok"]) == (0, 3, True)
    assert passerelle("verify")[0] == 0
    server.put(server.all("DetectedIssue")[0] | {"id": "stray"})
    code, found = passerelle("reconcile")
    assert (code, found["default"]["extra"]) == (1, ["DetectedIssue/stray"])
    assert passerelle("status", url=False)[1]["states"]["ACKED"] == 3


def test_a_version_is_recalled_and_proved(passerelle, server):
    passerelle("deliver")
    code, planned = passerelle("recall", *VERSION, "--reason", WHY, "--dry-run")
    assert (code, planned["new_retractions"]) == (0, 3)
    code, told = passerelle("recall", *VERSION, "--reason", WHY)
    assert (code, told["ok"], told["proof"]["default"]["withdrawn"]) == (0, True, 3)
    assert {issue["status"] for issue in server.all("DetectedIssue")} == {"entered-in-error"}
    (recalled,) = passerelle("status", url=False)[1]["recalls"]
    assert recalled["proved_at"] is not None
    assert passerelle("recall", *VERSION, "--reason", WHY)[1]["new_retractions"] == 0


def test_a_recall_needs_a_sentence(passerelle):
    assert passerelle("recall", *VERSION, "--reason", "faux")[0] == 2


def test_a_letter_is_printed_corrected_and_sent(passerelle, workspace, server, tmp_path):
    box = open_outbox(f"sqlite:///{workspace}/outbox/outbox.sqlite")
    box.enqueue([prediction(9, category="no  code")])
    box.close()
    (letter,) = passerelle("dead-letters", url=False)[1]
    resource = passerelle("dead-letters", "--id", str(letter["id"]), url=False)[1]
    resource["code"]["coding"][0]["code"] = "DOSE"
    (tmp_path / "corrected.json").write_text(json.dumps(resource))
    corrected = ["--id", str(letter["id"]), "--correct", str(tmp_path / "corrected.json")]
    assert passerelle("dead-letters", *corrected, url=False)[0] == 0
    assert passerelle("deliver")[1]["acked"] == 4


def test_several_servers_are_delivered_to_and_one_that_is_away_holds_nobody(workspace, server, capsys, tmp_path):
    declared = f"targets: {{dpi: {{url: '{server.url}'}}, etude: {{url: 'http://127.0.0.1:9/fhir'}}}}"
    (tmp_path / "fhir.yaml").write_text(declared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSERELLE_FHIR_FILE", str(tmp_path / "fhir.yaml"))
        assert cli(["fhir", "deliver", "--workspace", str(workspace), "--json"]) == 1
        told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (told["targets"]["dpi"]["acked"], told["targets"]["etude"]["ok"]) == (3, False)
    assert "does not answer" in told["stopped"]
    assert len(server.all("DetectedIssue")) == 3


def test_keys_are_made_once_and_their_public_half_is_printed(tmp_path, capsys):
    assert cli(["fhir", "new-key", str(tmp_path / "k.pem"), "--algorithm", "RS384", "--json"]) == 0
    kid = json.loads(capsys.readouterr().out)["kid"]
    assert cli(["fhir", "new-key", str(tmp_path / "k.pem")]) == 2
    capsys.readouterr()
    assert cli(["fhir", "jwks", str(tmp_path / "k.pem"), "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"]
    assert (key["kid"], key["kty"], "d" in key) == (kid, "RSA", False)


def test_results_that_no_longer_hold_are_sent_at_the_time_of_old_data_only(passerelle, workspace, server):
    box = open_outbox(f"sqlite:///{workspace}/outbox/outbox.sqlite")
    box.enqueue([prediction(7, valid_until=datetime(2025, 3, 8, tzinfo=UTC) + timedelta(hours=1))])
    box.close()
    assert passerelle("deliver", "--as-of", "2025-03-05T08:00:00")[1]["acked"] == 4
    assert CLIENT.get(f"{server.url}/DetectedIssue", params={"_summary": "count"}).json()["total"] == 4
