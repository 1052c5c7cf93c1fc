"""What a clinician did with a card, as the mitigation of its DetectedIssue."""

from dataclasses import dataclass
from typing import Any

from fhir_adapters.cds_hooks.cards import suggestion_id
from fhir_adapters.cds_hooks.messages.feedback import ACCEPTED
from fhir_adapters.cds_hooks.overrides import (
    MITIGATIONS,
    NO_REASON,
    ORDER_DROPPED,
    OTHER_REASON,
    OVERRIDE_REASONS,
    OVERRIDES,
)
from fhir_adapters.findings import V3_ACT_CODE
from fhir_adapters.french import clean
from fhir_adapters.people import judged
from fhir_adapters.rules.primitives import accepts
from fhir_adapters.rules.references import literal_type
from passerelle.errors import FhirError

Json = dict[str, Any]

MITIGATION_OF = {override.code: override.mitigation for override in OVERRIDES}
AUTHORS = ("Practitioner", "PractitionerRole")  # R4 lets nobody else write a mitigation


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the DetectedIssue of a card: a human has acted, so it is final."""

    prediction_id: str
    mitigation: Json

    def applied_to(self, issue: Json) -> Json:
        """The DetectedIssue with the decision; feedback that comes twice changes nothing the second time."""
        return judged(issue, self.mitigation)


def decision(entry: Json, *, user_id: str) -> Decision:
    """The meaning of one entry of a feedback message that ``check_feedback`` finds right.

    Args:
        entry: its ``card`` is the uuid of one of our cards.
        user_id: ``context.userId`` of the call that gave the card; feedback itself does not say who.
    Raises:
        FhirError: an accepted suggestion is not one of the card's.
    """
    found: Json = {"action": _accepted(entry) if entry["outcome"] == ACCEPTED else _overridden(entry)}
    found["date"] = entry["outcomeTimestamp"]
    if literal_type(user_id) in AUTHORS:
        found["author"] = {"reference": user_id, "type": literal_type(user_id)}
    return Decision(entry["card"], found)


def _accepted(entry: Json) -> Json:
    named = {accepted["id"] for accepted in entry["acceptedSuggestions"]}
    if named != {suggestion_id(entry["card"])}:
        raise FhirError(
            "feedback accepts a suggestion that its card does not have",
            looked="feedback.acceptedSuggestions",
            do="send the uuid of the suggestion, as the card gave it",
        )
    return _action(ORDER_DROPPED, "")


def _overridden(entry: Json) -> Json:
    given = entry.get("overrideReason", {})
    reason, comment = given.get("reason", {}), clean(given.get("userComment", ""))
    system, code = reason.get("system"), reason.get("code")
    if system == OVERRIDE_REASONS and code in MITIGATION_OF:
        return _action(MITIGATION_OF[code], comment, _coding(reason))
    if system == V3_ACT_CODE and code in MITIGATIONS:
        return _action(code, comment)
    if not reason:
        return {"text": comment or NO_REASON}
    own = _coding(reason)
    text = {"text": comment or clean(reason.get("display", "")) or OTHER_REASON}
    return {"coding": [own]} | text if own else text


def _action(code: str, comment: str, reason: Json | None = None) -> Json:
    """Coded for programs; for people, in the clinician's own words where there are some."""
    coding = [{"system": V3_ACT_CODE, "code": code}, *([reason] if reason else [])]
    return {"coding": coding, "text": comment or MITIGATIONS[code]}


def _coding(reason: Json) -> Json | None:
    """The reason as a Coding of R4; None where the record system's code or system is not what R4 can hold."""
    known = {"system": "uri", "code": "code", "display": "string"}
    found = {name: reason[name] for name, kind in known.items() if accepts(kind, reason.get(name))}
    return found if {"system", "code"} <= found.keys() else None
