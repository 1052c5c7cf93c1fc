"""Cards say what the prediction says, run nothing, and feedback about them becomes the mitigation of the issue."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fhir_adapters.build import build
from fhir_adapters.cds_hooks.cards import card, suggestion_id
from fhir_adapters.cds_hooks.feedback import MITIGATION_OF, decision
from fhir_adapters.cds_hooks.markdown import markdown, one_line, plain, shortened
from fhir_adapters.cds_hooks.messages import check_feedback, check_response
from fhir_adapters.cds_hooks.overrides import MITIGATIONS, NO_REASON, OTHER_REASON, OVERRIDE_REASONS, OVERRIDES
from fhir_adapters.cds_hooks.suggestions import CONTRAINDICATIONS, DUPLICATES
from fhir_adapters.example import INTERACTION, RENAL_DOSE
from fhir_adapters.findings import FINDINGS, V3_ACT_CODE
from fhir_adapters.r4b import structure_problems
from fhir_adapters.rules import check
from fhir_adapters.rules.table import codes
from models.contract import Contribution, Evidence
from passerelle.errors import FhirError

HOSTILE = (
    "<script>alert(1)</script> [a](javascript:b) ![i](x) **gras** `c` | t | http://x.example www.x.example # _e_ ~~s~~"
)
ORDER = "MedicationRequest/exemple"
CARD = card(replace(INTERACTION, severity="high"), draft_order=ORDER)
RENDERER = MarkdownIt("gfm-like")


def rendered(text):
    """The HTML that a screen makes of GitHub-flavoured markdown."""
    return RENDERER.render(text)


def entry(outcome="overridden", **members):
    found = {"card": CARD["uuid"], "outcome": outcome, "outcomeTimestamp": "2025-03-05T10:05:31Z"} | members
    assert check_feedback({"feedback": [found]}) == []
    return found


def test_a_card_keeps_every_rule_and_bears_the_id_of_its_issue():
    for prediction in (RENAL_DOSE, INTERACTION):
        found = card(prediction, draft_order=ORDER)
        assert check_response({"cards": [found]}) == []
        assert found["uuid"] == build(prediction)[1]["id"]
        assert found["source"]["topic"]["code"] == prediction.category


def test_a_card_says_what_why_and_who_said_it():
    detail = card(RENAL_DOSE)["detail"]
    for words in ("Dabigatran 150 mg", "85,3 %", "Gravité élevée", "créatinine 165 µmol/L du 03/03/2025",
                  "âge (ans) (82) : augmente le risque", "Aide à la décision", "version 1.0.0",
                  "ne remplace pas un avis clinique"):  # fmt: skip
        assert words in detail
    html = rendered(detail)
    assert html.count("<li>") == 5
    assert "<strong>Dose inadaptée à l'état du patient</strong>" in html
    assert "prescription_review" in html


@pytest.mark.parametrize(("severity", "indicator"), [
    ("high", "critical"), ("moderate", "warning"), ("low", "info"), (None, "info"),
])  # fmt: skip
def test_the_indicator_follows_the_severity(severity, indicator):
    assert card(replace(RENAL_DOSE, severity=severity))["indicator"] == indicator


def test_markup_in_the_data_is_shown_and_never_run():
    hostile = replace(
        INTERACTION, severity="high", message=HOSTILE, model_version="1.0<b>",
        contributions=(Contribution("x", HOSTILE, HOSTILE, 1.0),),
        evidence=(Evidence("drug_exposure", 5002, HOSTILE), Evidence("drug_exposure", 5003, "# titre")),
    )  # fmt: skip
    found = card(hostile, draft_order=ORDER)
    assert check_response({"cards": [found]}) == []
    html = rendered(found["detail"])
    for tag in ("<script", "<a ", "<img", "<em>", "<code>", "<s>", "<h1", "<table", "<b>"):
        assert tag not in html
    assert html.count("<strong>") == 1  # our own, around the title
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [a](javascript:b)" in html
    assert "<script" not in str(found)


@given(st.text(max_size=40))
@example("1. liste")
@example("- liste")
@example("# titre")
@example("> cite")
@example("a &amp; b \\< c")
@example("![x](y)[z]: http://e.example")
@example("*a*_b_`c`~d~|e|")
@example("+x = <x@y.example>")
def test_markdown_reads_as_the_text(text):
    html = rendered(f"- {markdown(text)}")
    shown = html.replace("<ul>\n<li>", "").replace("</li>\n</ul>\n", "").replace("<ul>\n<li></li>", "")
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(entity, letter)
    if "@" not in text:  # an address of e-mail may become a link to write to it
        assert shown.strip() == one_line(text)


@given(st.text(max_size=200), st.integers(10, 150))
def test_a_shortened_text_is_short_enough_and_begins_alike(text, below):
    line = one_line(text)
    found = shortened(line, below)
    assert len(found) < below
    assert line.startswith(found.removesuffix("…"))


def test_a_summary_is_cut_between_words():
    found = card(replace(RENAL_DOSE, message="paracétamol " * 30))["summary"]
    assert 120 < len(found) < 140
    assert found.endswith("paracétamol…")
    assert card(replace(RENAL_DOSE, message=" "))["summary"] == FINDINGS["DOSECOND"]


def test_plain_text_holds_no_tag_and_keeps_a_comparison():
    assert plain("clairance <30 mL/min, <script>x</script>") == "clairance <30 mL/min, < script>x< /script>"


@pytest.mark.parametrize(("category", "severity", "proposed"), [
    ("DUPTHPY", "moderate", True), ("DUPTHPCLS", None, True), ("COND", "high", True), ("DRG", "high", True),
    ("COND", "moderate", False), ("DRG", "moderate", False), ("DOSEH", "high", False), ("LAB", "high", False),
])  # fmt: skip
def test_an_order_is_proposed_for_removal_only_where_that_is_an_answer(category, severity, proposed):
    finding = replace(INTERACTION, category=category, severity=severity)
    assert ("suggestions" in card(finding, draft_order=ORDER)) is proposed
    assert "suggestions" not in card(finding)  # no draft of this hook: nothing to remove
    assert "selectionBehavior" not in card(finding)


def test_the_suggestion_deletes_the_draft_order():
    (suggestion,) = CARD["suggestions"]
    assert suggestion["uuid"] == suggestion_id(CARD["uuid"]) != CARD["uuid"]
    (action,) = suggestion["actions"]
    assert (action["type"], action["resourceId"]) == ("delete", ORDER)
    assert action["description"].endswith("tramadol 50 mg")


def test_the_declarations_use_codes_of_the_value_sets():
    assert codes("detectedissue-category") >= DUPLICATES | CONTRAINDICATIONS
    assert set(MITIGATIONS) == {str(code) for code in range(1, 14)} <= codes("detectedissue-mitigation-action")
    assert {o.mitigation for o in OVERRIDES} <= set(MITIGATIONS)
    assert len({o.code for o in OVERRIDES}) == len(OVERRIDES) == len(CARD["overrideReasons"])


@pytest.mark.parametrize("code", sorted(MITIGATION_OF))
def test_a_reason_of_the_card_becomes_its_mitigation(code):
    reason = next(r for r in CARD["overrideReasons"] if r["code"] == code)
    action = decision(entry(overrideReason={"reason": reason}), user_id="Practitioner/1").mitigation["action"]
    assert action["coding"][0] == {"system": V3_ACT_CODE, "code": MITIGATION_OF[code]}
    assert action["coding"][1] == reason
    assert action["text"] == MITIGATIONS[MITIGATION_OF[code]]


def test_a_code_of_hl7_itself_is_taken_as_it_is():
    reason = {"system": V3_ACT_CODE, "code": "13", "display": "Stopped Concurrent Therapy"}
    action = decision(entry(overrideReason={"reason": reason}), user_id="Practitioner/1").mitigation["action"]
    assert action["coding"] == [{"system": V3_ACT_CODE, "code": "13"}]


def test_an_accepted_suggestion_means_that_the_order_was_dropped():
    found = decision(
        entry("accepted", acceptedSuggestions=[{"id": suggestion_id(CARD["uuid"])}]), user_id="Practitioner/1"
    )
    assert found.mitigation["action"]["coding"] == [{"system": V3_ACT_CODE, "code": "13"}]
    with pytest.raises(FhirError, match="that its card does not have"):
        decision(entry("accepted", acceptedSuggestions=[{"id": CARD["uuid"]}]), user_id="Practitioner/1")


def test_what_nobody_said_is_not_coded():
    assert decision(entry(), user_id="Practitioner/1").mitigation["action"] == {"text": NO_REASON}
    comment = entry(overrideReason={"userComment": "Vu avec le néphrologue."})
    assert decision(comment, user_id="Practitioner/1").mitigation["action"] == {"text": "Vu avec le néphrologue."}


def test_a_reason_of_the_record_system_is_kept_as_it_was_given():
    own = {"system": "https://dpi.example/motifs", "code": "m1", "display": "Urgence vitale", "extension": {"a": 1}}
    action = decision(entry(overrideReason={"reason": own}), user_id="Practitioner/1").mitigation["action"]
    assert action == {"coding": [{n: own[n] for n in ("system", "code", "display")}], "text": "Urgence vitale"}
    odd = {"system": "motifs de l'hôpital", "code": "m1"}  # R4 has no such uri
    action = decision(entry(overrideReason={"reason": odd}), user_id="Practitioner/1").mitigation["action"]
    assert action == {"text": OTHER_REASON}


@pytest.mark.parametrize(("user", "author"), [
    ("Practitioner/1", {"reference": "Practitioner/1", "type": "Practitioner"}),
    ("PractitionerRole/1", {"reference": "PractitionerRole/1", "type": "PractitionerRole"}),
    ("Patient/1", None), ("RelatedPerson/1", None),
])  # fmt: skip
def test_the_author_is_a_practitioner_or_nobody(user, author):
    assert decision(entry(), user_id=user).mitigation.get("author") == author


def test_the_issue_with_a_decision_is_final_and_right_and_repeating_changes_nothing():
    issue = build(INTERACTION)[1]
    accepted = entry("accepted", acceptedSuggestions=[{"id": suggestion_id(CARD["uuid"])}])
    explained = entry(overrideReason={"reason": CARD["overrideReasons"][0], "userComment": HOSTILE})
    for said in (entry(), accepted, explained):
        found = decision(said, user_id="Practitioner/1")
        assert found.prediction_id == issue["id"]
        once = found.applied_to(issue)
        assert (once["status"], len(once["mitigation"])) == ("final", 1)
        assert "Non encore vue" not in once["text"]["div"]
        assert "Vue par un professionnel" in once["text"]["div"]
        assert [p for p in check(once) if p.severity == "error"] == structure_problems(once) == []
        assert found.applied_to(once) == once
        assert "mitigation" not in issue


def test_another_decision_is_added_to_the_first():
    issue = build(INTERACTION)[1]
    first = decision(entry(), user_id="Practitioner/1").applied_to(issue)
    second = decision(entry(overrideReason={"userComment": "x"}), user_id="Practitioner/2").applied_to(first)
    assert [m["author"]["reference"] for m in second["mitigation"]] == ["Practitioner/1", "Practitioner/2"]


def test_a_card_is_the_same_whenever_it_is_made():
    aware = replace(RENAL_DOSE, index_time=datetime(2025, 3, 5, 7, 30, tzinfo=UTC))
    assert card(aware) == card(RENAL_DOSE)
    assert OVERRIDE_REASONS.startswith("https://passerelle.example/fhir/CodeSystem/")
