"""The pharmacist's page: what it shows, and what its buttons do, in a real browser."""

import re

import pytest

from fhir_adapters.example_predictions import INTERACTION, RENAL_DOSE
from fhir_adapters.service.page.view import alerts_of, patient_lines
from fhir_adapters.site import Site
from models.contract import Contribution
from tests.fhir_adapters.fhir_helpers import prediction
from tests.fhir_adapters.service_browser import Browser
from tests.fhir_adapters.service_helpers import HOSTILE, eventually, free_port, listening, service

STRANGE = (Contribution("dose", f"dose {HOSTILE}", 4.0, 1.0), Contribution("age", "âge", 80.0, -0.5))


def findings():
    return [
        prediction(1, message=f"dabigatran {HOSTILE} : à ne pas utiliser.", contributions=STRANGE),
        prediction(2, severity="moderate"),
        prediction(3, severity=None),
        prediction(2, severity="low", occasion="drug_exposure:9"),
    ]


@pytest.fixture
def demo(tmp_path):
    """A demo on loopback."""
    with free_port() as (listener, url), service(tmp_path, demo=True, base_url=url) as made:
        made.outbox.enqueue(findings())
        with listening(made.app, listener):
            made.url = url
            yield made


@pytest.fixture
def http(tmp_path):
    with service(tmp_path, demo=True, base_url="http://127.0.0.1") as made:
        made.outbox.enqueue(findings())
        with made.client(host="127.0.0.1") as client:
            yield client


def test_the_most_severe_patient_comes_first():
    lines = patient_lines(findings(), Site())
    assert [(line.person_id, line.alerts, line.worst) for line in lines] == [
        (1001, 1, "élevée"), (1002, 2, "modérée"), (1003, 1, "non graduée"),
    ]  # fmt: skip


def test_bars_show_in_which_direction_a_variable_weighs():
    (alert,) = alerts_of(findings()[:1], Site())
    assert [(bar.start, bar.length, bar.raises) for bar in alert.bars] == [(50.0, 50.0, True), (25.0, 25.0, False)]


def test_the_page_is_french_and_says_what_it_is(http):
    page = http.get("/").text
    assert '<html lang="fr">' in page and "Démonstration" in page and "3 patients" in page
    assert page.index("…001001") < page.index("…001002") < page.index("…001003")


def test_markup_in_a_label_is_text(http):
    page = http.get("/patients/1001").text
    assert "<script>alert" not in page and page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2


def test_nothing_runs_or_is_styled_inline_and_nothing_comes_from_elsewhere(http):
    for path in ("/", "/patients/1001"):
        page = http.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:|<style", page)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for name, kind in (("page.css", "text/css"), ("page.js", "javascript"), ("icon.svg", "image/svg+xml")):
        reply = http.get(f"/static/{name}")
        assert reply.status_code == 200 and kind in reply.headers["content-type"]


def test_a_patient_without_alerts_has_a_page_and_a_nonsense_has_none(http):
    assert "Aucune alerte ouverte" in http.get("/patients/1050").text
    for nonsense in ("x", "-1", "1" * 40, "%3Cscript%3E"):
        assert http.get(f"/patients/{nonsense}").status_code == 404
    assert http.get("/?page=99999999999").status_code == http.get("/?page=x").status_code == 200


def test_the_page_is_of_a_demo_alone(tmp_path):
    with service(tmp_path) as made, made.client() as client:
        assert client.get("/").status_code == client.get("/static/page.js").status_code == 404


@pytest.fixture
def browser(chromium, tmp_path):
    one = Browser(chromium, tmp_path / "profile")
    yield one
    one.close()


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNNAMED = """[...document.querySelectorAll('input, select, textarea')]
    .filter((c) => !c.labels.length && !c.closest('template')).length"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_screen_and_names_its_controls(browser, demo, tmp_path, width):
    for path in ("/", "/patients/1001"):
        browser.open(demo.url + path, width)
        assert browser.run(WIDER) <= 0 and browser.run(UNNAMED) == 0
        assert browser.run("document.querySelectorAll('h1').length") == 1
        (tmp_path / f"page-{width}.png").write_bytes(browser.picture())
    assert not browser.complaints


def test_a_reason_goes_the_way_of_a_record_system(browser, demo):
    browser.open(f"{demo.url}/patients/1001")
    browser.run("document.querySelector('article details summary').click()")
    browser.run("document.querySelector('article select[name=reason]').value = 'monitoring'")
    browser.run("document.querySelector('article textarea').value = 'Ionogramme demain.'")
    browser.run("document.querySelector('article button[name=override]').click()")
    browser.wait("document.querySelector('article .told').textContent.includes('enregistré')")
    issue = eventually(lambda: next((i for i in issues_of(demo) if i["status"] == "final"), None))
    (mitigation,) = issue["mitigation"]
    assert mitigation["action"]["text"] == "Ionogramme demain." and mitigation["action"]["coding"][0]["code"] == "9"
    assert mitigation["author"]["reference"] == "Practitioner/pharmacien-demo"
    browser.open(f"{demo.url}/patients/1001")
    assert "Aucune alerte ouverte" in browser.run("document.body.textContent") and not browser.complaints


def issues_of(made):
    from fhir_adapters.outbox.reading import Wanted, open_reader

    reader = open_reader(f"sqlite:///{made.folder.parent}/outbox.sqlite")
    found = [stored.content.resource for stored in reader.find(Wanted("DetectedIssue"), limit=50)]
    reader.close()
    return found


def test_the_whole_way_by_keyboard(browser, demo):
    browser.open(f"{demo.url}/patients/1002")
    browser.run("document.querySelector('article button[name=accept]').focus()")
    browser.press_enter()
    browser.wait("document.querySelector('article .told').textContent.includes('acceptée')")
    assert eventually(lambda: [i for i in issues_of(demo) if i["status"] == "final"])[0]["mitigation"]


def test_an_order_is_tried_for_real_and_its_card_can_be_answered(browser, demo):
    browser.open(f"{demo.url}/patients/1001")
    browser.run("document.querySelector('#order [name=dose]').value = '5000'")
    browser.run("document.querySelector('#order button[type=submit]').click()")
    browser.wait("document.querySelector('#result article')")
    text = browser.run("document.getElementById('result').textContent")
    assert "1 alerte" in text and "paracétamol" in text
    question = demo.reviewer.asked[-1][0]
    assert question.person_id == 1001 and question.drafts[0]["dose_value"] == 5000.0
    browser.run("document.querySelector('#result button[name=override]').click()")
    browser.wait("document.querySelector('#result .told').textContent.includes('enregistré')")
    assert not browser.complaints


def test_an_order_without_a_problem_says_so(browser, demo):
    browser.open(f"{demo.url}/patients/1001")
    browser.run("document.querySelector('#order [name=dose]').value = '10'")
    browser.run("document.querySelector('#order button[type=submit]').click()")
    browser.wait("document.getElementById('result').textContent.includes('Aucune alerte')")


def test_markup_never_runs(browser, demo):
    browser.open(f"{demo.url}/patients/1001")
    assert "<script>" in browser.run("document.querySelector('article .message').textContent")
    assert browser.run("document.querySelectorAll('article script').length") == 0 and not browser.complaints


def test_the_examples_that_ship_make_a_page():
    assert len(alerts_of([RENAL_DOSE, INTERACTION], Site())) == 2
