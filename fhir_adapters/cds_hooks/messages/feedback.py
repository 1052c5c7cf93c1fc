"""``check_feedback``: what a client tells a service about its cards."""

from collections.abc import Iterator
from typing import Any

from fhir_adapters.cds_hooks.messages.walk import objects, walk
from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
UTC_ENDINGS = ("Z", "+00:00", "-00:00")


def check_feedback(body: Any) -> list[Problem]:
    """Every problem of the body that is posted to the feedback endpoint."""
    problems = list(walk("feedbacks", body))
    for index, entry in objects(body, "feedback"):
        problems += _entry(entry, f"feedback[{index}]")
    return problems


def _entry(entry: Json, path: str) -> Iterator[Problem]:
    outcome = entry.get("outcome")
    if outcome not in (ACCEPTED, OVERRIDDEN) and "outcome" in entry:
        yield Problem(f"{path}.outcome", "cds-fb-1", f"only these are allowed: {ACCEPTED}, {OVERRIDDEN}")
    if outcome == ACCEPTED and not entry.get("acceptedSuggestions"):
        yield Problem(f"{path}.acceptedSuggestions", "cds-fb-2", "accepted, and no suggestion named")
    if outcome == ACCEPTED and "overrideReason" in entry:
        yield Problem(f"{path}.overrideReason", "feedback:outcome", "a reason to override what was accepted", "warning")
    if outcome == OVERRIDDEN and "acceptedSuggestions" in entry:
        yield Problem(f"{path}.acceptedSuggestions", "feedback:outcome", "overridden, with suggestions", "warning")
    override = entry.get("overrideReason")
    if isinstance(override, dict) and not {"reason", "userComment"} & override.keys():
        yield Problem(f"{path}.overrideReason", "cds-fb-3", "neither a reason nor a comment")
    moment = entry.get("outcomeTimestamp")
    if isinstance(moment, str) and moment.strip() and not moment.endswith(UTC_ENDINGS):
        yield Problem(f"{path}.outcomeTimestamp", "feedback:utc", "the time is expected in UTC", "warning")
