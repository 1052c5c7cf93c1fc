"""Predictions become FHIR resources that are R4, French, marked, escaped, and free of identities."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapters import exact_json, example
from fhir_adapters.build import build, build_all
from fhir_adapters.bundle import transaction
from fhir_adapters.example import CASES
from fhir_adapters.example_predictions import (
    HANDWRITING,
    INTERACTION,
    ONCOLOGY_TIMELINE,
    RENAL_DOSE,
    RESPIRATORY_PEAKS,
    SEPSIS_STEROIDS,
)
from fhir_adapters.french import clean, number, significant
from fhir_adapters.probability import Probability
from fhir_adapters.profiles.generate import profiles
from fhir_adapters.r4b import structure_problems
from fhir_adapters.retraction import retracted
from fhir_adapters.rules import check, errors
from fhir_adapters.rules.table import codes
from models.contract import Contribution, Document, Evidence, Forecast, Interval, Span
from passerelle.errors import FhirError
from tests.fhir_adapters.fhir_cases import VALID
from tests.fhir_adapters.fhir_helpers import prediction

words = st.text(max_size=30)
predictions = st.builds(
    replace,
    st.just(RENAL_DOSE),
    probability=st.floats(0, 1),
    severity=st.sampled_from(["high", "moderate", "low", None]),
    category=st.sampled_from(sorted(c for c in codes("detectedissue-category") if c[0] != "_")),
    message=words,
    model_version=st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}(\|x)?", fullmatch=True),
    occasion=st.sampled_from(["drug_exposure:5001", "visit:3001:2025-03-05", "drug_exposure:-9"]),
    index_time=st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)),
    contributions=st.lists(
        st.builds(Contribution, st.from_regex(r"[a-z]{1,5}( [a-z]{1,5})?", fullmatch=True), words,
                  st.none() | words | st.floats(-1e12, 1e12), st.floats(-1e3, 1e3)), max_size=3).map(tuple),
    evidence=st.lists(
        st.builds(Evidence, st.sampled_from(["drug_exposure", "measurement", "observation", "death"]),
                  st.integers(-(2**62), 2**62), words), max_size=4).map(tuple),
)  # fmt: skip


fractions = st.floats(0, 1)
intervals = st.tuples(fractions, fractions).map(lambda pair: Interval(min(pair), max(pair), 0.9))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))
forecasts = st.builds(
    lambda start, chance, count, width, usual: Forecast(
        start, start + timedelta(days=1), chance, count, Interval(count, count + width, 0.8), 14.0, usual
    ),
    moments, fractions, st.floats(0, 1e4), st.floats(0, 100), st.none() | st.floats(0.1, 100),
)  # fmt: skip
spans = st.builds(
    Span, st.integers(0, 10**6), st.integers(0, 10**6), words, words, fractions, st.booleans(),
    st.none() | st.builds(Evidence, st.sampled_from(["procedure_occurrence", "death"]), st.integers(1, 2**62), words),
)  # fmt: skip
documents = st.builds(
    Document, words.filter(clean), st.text(max_size=200), st.just(HANDWRITING.document.source), st.just("0" * 64),
    st.sampled_from(["34133-9", "64297-5", "11488-4"]), st.lists(spans, max_size=4).map(tuple),
)  # fmt: skip
said = {"message": words.filter(clean), "probability": fractions, "index_time": moments, "valid_from": moments}
days = st.lists(forecasts, min_size=1, max_size=14).map(tuple)
of_other_cases = st.one_of(
    st.builds(replace, st.just(RESPIRATORY_PEAKS), forecasts=days, **said),
    st.builds(replace, st.just(SEPSIS_STEROIDS), interval=st.none() | intervals, **said),
    st.builds(replace, st.sampled_from([HANDWRITING, ONCOLOGY_TIMELINE]), document=documents, **said),
)  # fmt: skip


@given(of_other_cases)
@settings(max_examples=80)
def test_whatever_a_model_of_another_case_says_becomes_valid_r4(one):
    if one.valid_until is not None:
        one = replace(one, valid_until=one.valid_from + timedelta(days=3))
    for resource in (*build(one), retracted(build(one)[-2], "Version retirée pour essai.")):
        assert errors(resource) == []
        assert structure_problems(json.loads(exact_json.dumps(resource))) == []


@given(predictions)
@settings(max_examples=80)
def test_whatever_a_model_says_becomes_valid_r4(one):
    built = build(one)
    bundle = transaction("https://x.example/fhir", built)
    for resource in (*built, bundle):
        assert errors(resource) == []
        assert structure_problems(resource) == []
        assert exact_json.loads(exact_json.dumps(resource)) == resource


@pytest.mark.parametrize("name", VALID)
def test_r4b_classes_accept_what_our_rules_accept(name):
    assert structure_problems(json.loads(exact_json.dumps(VALID[name]))) == []


@given(predictions)
@settings(max_examples=50)
def test_the_same_prediction_is_built_the_same(one):
    assert exact_json.dumps(build(one)) == exact_json.dumps(build(copy.deepcopy(one)))


def test_detected_issue_says_what_a_pharmacist_needs():
    device, issue, about = build(RENAL_DOSE)
    assert (issue["status"], issue["severity"], issue["code"]["coding"][0]["code"]) == (
        "preliminary",
        "high",
        "DOSECOND",
    )
    assert "Probabilité estimée : 85,3 %" in issue["text"]["div"]
    assert "05/03/2025 à 08:30" in issue["text"]["div"]  # 07:30 UTC on the hospital's clock
    assert "Aide à la décision" in issue["text"]["div"]
    assert "créatinine 165 µmol/L du 03/03/2025" in issue["text"]["div"]
    assert "clairance de la créatinine à 26 mL/min : augmente le risque" in issue["detail"]  # in the model's words
    assert "âge (ans) (82) : augmente le risque" in issue["detail"]  # where it has none, label and value
    assert issue["author"]["reference"] == f"Device/{device['id']}"
    assert [i["display"] for i in issue["implicated"]] == ["dabigatran 150 mg, 2 par jour, depuis le 05/03/2025"]
    assert about["target"][0]["reference"] == f"DetectedIssue/{RENAL_DOSE.prediction_id}"
    assert "mitigation" not in issue  # only people mitigate


def test_every_resource_says_that_a_machine_wrote_it():
    for resource in build(RENAL_DOSE):
        assert [c["code"] for c in resource["meta"]["security"]] == ["AIAST"]


def test_an_interaction_implies_both_orders():
    issue = build(INTERACTION)[1]
    assert [i["display"] for i in issue["implicated"]] == ["tramadol 50 mg", "sertraline 50 mg"]
    assert check(issue) == []


def test_a_patient_to_read_first_implies_the_lines_that_make_it_so():
    lines = (Evidence("drug_exposure", 5001, "warfarine"), Evidence("drug_exposure", 5002, "ibuprofène"))
    words = "9 lignes à lire ensemble. D'abord warfarine. Puis ibuprofène."
    one = replace(RENAL_DOSE, category="PATIENT", severity=None, occasion="orders_of_day:2025-03-05",
                  evidence=lines, message=words)  # fmt: skip
    issue = build(one)[1]
    assert issue["code"] == {"text": "Prescriptions du patient à lire en premier"}  # no code of FHIR says it
    assert [i["display"] for i in issue["implicated"]] == ["warfarine", "ibuprofène"]
    assert issue["detail"].startswith(words) and "severity" not in issue
    assert errors(issue) == [] and structure_problems(issue) == []


def test_probability_is_a_percentage_with_its_unit():
    quantity = build(RENAL_DOSE)[1]["extension"][0]["valueQuantity"]
    assert (quantity["value"], quantity["code"]) == (Decimal("85.3"), "%")


@given(st.floats(0, 1))
def test_percentage_is_a_hundred_times_the_fraction(fraction):
    percent = Probability.of_fraction(fraction).percent()
    assert abs(percent - Decimal(repr(fraction)) * 100) <= Decimal("0.05")
    assert 0 <= percent <= 100


@pytest.mark.parametrize("wrong", [85.0, -0.1, float("nan"), float("inf"), 1.0000001])
def test_a_percentage_given_as_fraction_is_refused(wrong):
    with pytest.raises(FhirError):
        Probability.of_fraction(wrong)


def test_one_per_cent_or_less_needs_a_statement():
    rare = Probability.of_fraction(0.0085)
    with pytest.raises(FhirError, match="1 %"):
        rare.probability_decimal()
    assert rare.probability_decimal(really_below_one_percent=True) == Decimal("0.8")
    assert Probability.of_fraction(0.0).probability_decimal() == 0


def test_markup_in_a_message_is_shown_and_never_run():
    issue = build(replace(RENAL_DOSE, message="<script>alert('x')</script> & \x00\x0b fin"))[1]
    assert "&lt;script&gt;" in issue["text"]["div"]
    assert "<script" not in issue["text"]["div"]
    assert errors(issue) == []


def test_new_model_version_keeps_the_identity_and_changes_the_content():
    old, new = build_all(RENAL_DOSE), build_all(replace(RENAL_DOSE, model_version="1.1.0"))
    assert old.resource["id"] == new.resource["id"]
    assert old.device["id"] != new.device["id"]
    assert old.content_sha256 != new.content_sha256
    assert old.provenance["id"] != new.provenance["id"]


def test_a_new_snapshot_with_the_same_result_is_the_same_content():
    assert build_all(RENAL_DOSE).content_sha256 == build_all(replace(RENAL_DOSE, snapshot_id="tomorrow")).content_sha256


def test_stored_times_without_a_zone_are_utc():
    naive = replace(RENAL_DOSE, index_time=datetime(2025, 3, 5, 7, 30))
    assert build(naive) == build(replace(RENAL_DOSE, index_time=datetime(2025, 3, 5, 7, 30, tzinfo=UTC)))


def test_resources_hold_a_stand_in_and_no_patient():
    text = exact_json.dumps(build(RENAL_DOSE))
    assert "urn:passerelle:person:1001" in text
    assert '"Patient/' not in text


def test_a_contribution_that_is_no_number_is_refused():
    with pytest.raises(FhirError, match="finite"):
        build(prediction(contributions=(Contribution("x", "x", 1.0, float("nan")),)))


def test_a_model_without_builder_is_named():
    with pytest.raises(FhirError, match="phrenology"):
        build(replace(RENAL_DOSE, model="phrenology"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(26.0, "26"), (1.23456789, "1.235"), (-0.000012345, "-0.00001234"), (123456.0, "123500"), (0.0, "0")],
)
def test_numbers_have_four_significant_digits_and_no_exponent(value, text):
    assert str(significant(value)) == text
    assert number(1.5) == "1,5"


@pytest.mark.parametrize("text", ["63.50", "0.10", "12345678901234567.89", "1.0", "-0.0"])
def test_decimals_keep_every_digit(text):
    assert exact_json.dumps(exact_json.loads(f'{{"v": {text}}}')) == f'{{"v":{text}}}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_json_has_no_infinity(value):
    with pytest.raises(ValueError, match="JSON"):
        exact_json.dumps({"v": value})


def test_examples_are_what_the_code_gives():
    folder = files("fhir_adapters.examples")
    names = {entry.name for entry in folder.iterdir() if entry.name.endswith(".json")}
    assert names == set(example.examples())
    for name, resource in example.examples().items():
        text = folder.joinpath(name).read_text("utf-8")
        assert text == exact_json.indented(resource), f"{name}: run python -m fhir_adapters.example"
        assert exact_json.loads(text) == resource


def test_profiles_are_what_the_code_gives_and_r4():
    folder = files("fhir_adapters.profiles")
    names = {entry.name for entry in folder.iterdir() if entry.name.endswith(".json")}
    assert names == set(profiles())
    for name, resource in profiles().items():
        assert json.loads(folder.joinpath(name).read_text("utf-8")) == resource, (
            "python -m fhir_adapters.profiles.generate"
        )
        assert structure_problems(resource) == []


def test_every_extension_that_we_send_has_its_definition():
    urls = {r["url"] for r in profiles().values() if r.get("type") == "Extension"}
    assert {e["url"] for one in CASES.values() for e in _extensions(build(one))} == urls


def test_every_profile_that_we_claim_has_its_definition():
    urls = {r["url"] for r in profiles().values() if r.get("kind") == "resource"}
    claimed = (r.get("meta", {}).get("profile", ()) for one in CASES.values() for r in build(one))
    assert {url for profile in claimed for url in profile} == urls


def test_every_system_of_ours_is_described():
    described = {u["value"] for r in profiles().values() for u in r.get("uniqueId", ())}
    described |= {r["url"] for r in profiles().values() if "url" in r}
    text = exact_json.dumps([build(one) for one in CASES.values()])
    ours = {part.split('"')[0] for part in text.split('"system":"')[1:] if ".example/" in part.split('"')[0]}
    assert ours <= described


def _extensions(node):
    if isinstance(node, list):
        for item in node:
            yield from _extensions(item)
    elif isinstance(node, dict):
        for extension in node.get("extension", ()):
            if extension["url"].startswith("http"):
                yield extension
        for value in node.values():
            yield from _extensions(value)
