"""What people write on a result, and how it outlives a new content of the model."""

from typing import Any

from fhir_adapters.wording import NOT_SEEN

Json = dict[str, Any]

SEEN = "Vue par un professionnel ; ne remplace pas un avis clinique."
WITHDRAWN = "entered-in-error"
CLOSED = {"cancelled", WITHDRAWN}
VALIDATED = {"final", "amended", "corrected"}


def judged(ours: Json, mitigation: Json) -> Json:
    """The DetectedIssue after a person has acted: final, with what was done; the same act twice changes nothing."""
    known = ours.get("mitigation", [])
    kept = known if mitigation in known else [*known, mitigation]
    text = {name: value.replace(NOT_SEEN, SEEN) for name, value in ours["text"].items()}
    return ours | {"text": text, "status": "final", "mitigation": kept}


def closed_by_a_person(theirs: Json) -> bool:
    """True when the resource was withdrawn at the target: a new score does not bring it back."""
    return theirs.get("status") in CLOSED


def with_what_people_wrote(ours: Json, theirs: Json) -> Json:
    """Our content with what only people write: mitigation stays, and a validated status becomes ``amended``.

    A content that withdraws the result stays withdrawn.
    """
    merged = dict(ours)
    if theirs.get("mitigation"):
        merged["mitigation"] = theirs["mitigation"]
    if ours["status"] != WITHDRAWN and (theirs.get("status") in VALIDATED or theirs.get("mitigation")):
        merged["status"] = "amended"
    if theirs.get("authenticator"):
        merged["authenticator"] = theirs["authenticator"]
    known = {(i.get("system"), i.get("value")) for i in ours["identifier"]}
    ours_systems = {i["system"] for i in ours["identifier"]}
    added = [
        i for i in theirs.get("identifier", ())
        if (i.get("system"), i.get("value")) not in known and i.get("system") not in ours_systems
    ]  # fmt: skip
    return merged | {"identifier": [*ours["identifier"], *added]}
