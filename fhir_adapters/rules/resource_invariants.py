"""The invariants of clinical resources, and the traps that valid R4 hides."""

from collections.abc import Iterator

from fhir_adapters.rules.primitives import is_number
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.rule import UCUM, Json, Rule, Rules, must, not_both, objects, one_of
from fhir_adapters.rules.table import codes

AI_OUTPUT = "AIAST"
NEEDS_TWO_DRUGS = {"DRG", "DUPTHPY"}
HL7 = "http://terminology.hl7.org/CodeSystem"


def _probability(prediction: Json) -> Iterator[Problem]:
    if "probabilityDecimal" in prediction:
        yield from _percentage(prediction["probabilityDecimal"], said_to_be_rare=_said_to_be_rare(prediction))
    elif "probabilityRange" in prediction:
        for name in ("low", "high"):
            yield from _bound(prediction["probabilityRange"].get(name, {}), f".probabilityRange.{name}")
    else:
        yield Problem("", "ras-2", "without a probability strict R4 engines refuse the prediction")


def _said_to_be_rare(prediction: Json) -> bool:
    """Whether the prediction itself says that a small number is meant: HL7's words for an unlikely outcome."""
    return _is_coded(prediction.get("qualitativeRisk", {}), "risk-probability", "negligible", "low")


def _percentage(value: float, *, said_to_be_rare: bool) -> Iterator[Problem]:
    at = ".probabilityDecimal"
    if value > 100:
        yield Problem(at, "ras-2", "a percentage is at most 100")
    elif value < 0:
        yield Problem(at, "probability-scale", "a percentage is not negative")
    elif 0 < value <= 1 and not said_to_be_rare:
        yield Problem(at, "probability-below-one", "a percentage: this reads as 1 % or less")


def _bound(quantity: Json, at: str) -> Iterator[Problem]:
    if quantity and (quantity.get("code") != "%" or quantity.get("system") != UCUM):
        yield Problem(at, "ras-1", "the unit must be % of UCUM")
    value = quantity.get("value", 50)
    if is_number(value) and not 0 <= value <= 100:
        yield Problem(at, "probability-scale", "a percentage lies between 0 and 100")


def _words_fit(prediction: Json) -> bool:
    """HL7 defines its words: high is more likely than not. A tier of a model is no such word."""
    percent, words = prediction.get("probabilityDecimal", 50), prediction.get("qualitativeRisk", {})
    too_high = percent < 50 and _is_coded(words, "risk-probability", "high", "certain")
    return not too_high and not (percent > 50 and _is_coded(words, "risk-probability", "negligible", "low"))


def _detected_issue(resource: Json) -> Iterator[Problem]:
    codings = objects(resource.get("code", {}), "coding")
    found = {str(coding.get("code")) for coding in codings if coding.get("system") == f"{HL7}/v3-ActCode"}
    for code in sorted(found - codes("detectedissue-category")):
        yield Problem(".code", "preferred-binding", f"{code} is not in detectedissue-category", "warning")
    if found & NEEDS_TWO_DRUGS and len(resource.get("implicated", ())) < 2:
        yield Problem(".implicated", "two-drugs", "an interaction or a duplicate implies two orders", "warning")


def _marked(resource: Json) -> bool:
    """Output of a model says so. Who wrote it is an author (a list for documents) or a performer."""
    named = [resource.get(name, ()) for name in ("author", "performer")]
    authors = [one for some in named for one in (some if isinstance(some, list) else [some]) if one]
    if not any(one.get("type") == "Device" or "Device/" in one.get("reference", "") for one in authors):
        return True
    return any(mark.get("code") == AI_OUTPUT for mark in objects(resource.get("meta", {}), "security"))


def _component_codes_differ(resource: Json) -> bool:
    if not any(name.startswith("value") for name in resource):
        return True
    own = _codings(resource)
    return not any(own & _codings(component) for component in objects(resource, "component"))


def _codings(holder: Json) -> set[tuple[str, str]]:
    return {(str(c.get("system")), str(c.get("code"))) for c in objects(holder.get("code", {}), "coding")}


def _never_at_home(key: str, name: str) -> Rule:
    def holds(value: Json) -> bool:
        return all(one.get("use") != "home" for one in value.get(name, ()))

    return must(key, f"the {name} of an organization is not at home", holds)


def _withdrawn(assessment: Json) -> bool:
    """status is no modifier in R4: a client may show a withdrawn assessment as if it were live."""
    return assessment.get("status") != "entered-in-error" or "prediction" not in assessment


def _value_or_reason(observation: Json) -> bool:
    return "dataAbsentReason" not in observation or not any(name.startswith("value") for name in observation)


def _is_coded(element: Json, system: str, *wanted: str) -> bool:
    url = f"{HL7}/{system}"
    return any(c.get("system") == url and c.get("code") in wanted for c in objects(element, "coding"))


def _allergy(resource: Json) -> bool:
    wrong = _is_coded(resource.get("verificationStatus", {}), "allergyintolerance-verification", "entered-in-error")
    return wrong != ("clinicalStatus" in resource)


def _ended(condition: Json) -> bool:
    ended = any(name.startswith("abatement") for name in condition)
    status = condition.get("clinicalStatus", {})
    return not ended or _is_coded(status, "condition-clinical", "resolved", "remission", "inactive")


def _no_status_of_an_error(condition: Json) -> bool:
    wrong = _is_coded(condition.get("verificationStatus", {}), "condition-ver-status", "entered-in-error")
    return not wrong or "clinicalStatus" not in condition


_MARKED = must("ai-marking", "output of a model is marked AIAST", _marked, at=".meta.security", severity="warning")
_FOR_LIFE = "without when[x] it means: over the remaining life"
_DETAILS = ("name", "telecom", "address", "organization")

RESOURCES: Rules = {
    "RiskAssessment": (
        must("retraction", "a withdrawn assessment keeps no prediction", _withdrawn, at=".prediction"),
        _MARKED,
    ),
    "RiskAssessment.prediction": (
        _probability,
        must("risk-words", "the word for the risk fits its number", _words_fit, severity="warning"),
        one_of("when-absent", _FOR_LIFE, "whenPeriod", "whenRange", severity="warning"),
    ),
    "DetectedIssue": (_detected_issue, _MARKED),
    "DocumentReference": (_MARKED,),
    "Group": (
        must("grp-1", "only an actual group has members", lambda v: "member" not in v or v.get("actual") is True),
    ),
    "AuditEvent.entity": (not_both("sev-1", "either a name or a query", "name", "query"),),
    "Observation": (
        must("obs-6", "either a value or the reason of its absence", _value_or_reason),
        must("obs-7", "no component has the code of the whole, which has a value", _component_codes_differ),
    ),
    "Observation.referenceRange": (one_of("obs-3", "low, high or a text", "low", "high", "text"),),
    "AllergyIntolerance": (must("ait-1", "a clinical status, or the word that it is an error", _allergy),),
    "Condition": (
        must("con-4", "what has ended is inactive, in remission or resolved", _ended),
        must("con-5", "an error has no clinical status", _no_status_of_an_error),
    ),
    "Condition.stage": (one_of("con-1", "a summary or an assessment", "summary", "assessment"),),
    "Condition.evidence": (one_of("con-2", "a code or a detail", "code", "detail"),),
    "Composition.section": (
        one_of("cmp-1", "a text, entries or sections", "text", "entry", "section"),
        not_both("cmp-2", "only what is empty says why", "emptyReason", "entry"),
    ),
    "Immunization.education": (one_of("imm-1", "a type or a reference", "documentType", "reference"),),
    "MedicationAdministration.dosage": (one_of("mad-1", "a dose or a rate", "dose", "rateRatio", "rateQuantity"),),
    "Patient.contact": (one_of("pat-1", "a contact has details or an organization", *_DETAILS),),
    "Organization": (
        one_of("org-1", "a name or an identifier", "name", "identifier"),
        _never_at_home("org-2", "address"),
        _never_at_home("org-3", "telecom"),
    ),
}
