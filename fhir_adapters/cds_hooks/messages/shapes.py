"""Every JSON object of CDS Hooks 2.0 and its members, as the tables of the text have them. No logic here.

A member's kind is a kind of ``values.py``, or the name of another shape. ``section`` is the anchor of the table on
https://cds-hooks.hl7.org/2.0/; that of a hook's context is the hook.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object."""

    kind: str
    required: bool = False
    many: bool = False
    may_be_empty: bool = False  # an empty array says something: no card, no service
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of object."""

    section: str
    members: dict[str, Member]


def _required(kind: str, *codes: str) -> Member:
    return Member(kind, required=True, codes=codes)


def _optional(kind: str, *codes: str) -> Member:
    return Member(kind, codes=codes)


def _several(kind: str) -> Member:
    return Member(kind, many=True)


_USER_AND_PATIENT = {"userId": _required("text"), "patientId": _required("id"), "encounterId": _optional("id")}

SHAPES = {
    "discovery": Shape("response", {"services": Member("service", required=True, many=True, may_be_empty=True)}),
    "service": Shape(
        "response",
        {
            "hook": _required("text"),
            "title": _optional("text"),
            "description": _required("text"),
            "id": _required("text"),
            "prefetch": _optional("templates"),
            "usageRequirements": _optional("text"),
        },
    ),
    "request": Shape(
        "http-request_1",
        {
            "hook": _required("text"),
            "hookInstance": _required("uuid"),
            "fhirServer": _optional("url"),
            "fhirAuthorization": _optional("authorization"),
            "context": _required("open"),  # by hook: HOOKS
            "prefetch": _optional("prefetched"),
        },
    ),
    "authorization": Shape(
        "passing-the-access-token-to-the-cds-service",
        {
            "access_token": _required("text"),
            "token_type": _required("code", "Bearer"),
            "expires_in": _required("integer"),
            "scope": _required("text"),
            "subject": _required("text"),
            "patient": _optional("id"),
        },
    ),
    "answer": Shape(
        "http-response",
        {
            "cards": Member("card", required=True, many=True, may_be_empty=True),
            "systemActions": _several("systemAction"),
        },
    ),
    "card": Shape(
        "card-attributes",
        {
            "uuid": _optional("text"),
            "summary": _required("text"),
            "detail": _optional("text"),
            "indicator": _required("code", "info", "warning", "critical"),
            "source": _required("source"),
            "suggestions": _several("suggestion"),
            "selectionBehavior": _optional("code", "at-most-one", "any"),
            "overrideReasons": _several("coding"),
            "links": _several("link"),
        },
    ),
    "source": Shape(
        "source",
        {
            "label": _required("text"),
            "url": _optional("url"),
            "icon": _optional("url"),
            "topic": _optional("coding"),
        },
    ),
    "suggestion": Shape(
        "suggestion",
        {
            "label": _required("text"),
            "uuid": _optional("text"),
            "isRecommended": _optional("boolean"),
            "actions": _several("action"),
            "actionSelectionBehavior": _optional("text"),  # later than 2.0: cds-resp-7
        },
    ),
    "action": Shape(
        "action",
        {
            "type": _required("code", "create", "update", "delete"),
            "description": _optional("text"),  # required: cds-resp-5
            "resource": _optional("open"),
            "resourceId": _optional("text"),
        },
    ),
    "systemAction": Shape(
        "system-action",
        {
            "type": _required("code", "create", "update", "delete"),
            "description": _optional("text"),  # the text requires it; its own example has none
            "resource": _optional("open"),
            "resourceId": _optional("text"),
        },
    ),
    "link": Shape(
        "link",
        {
            "label": _required("text"),
            "url": _required("url"),
            "type": _required("code", "absolute", "smart"),
            "appContext": _optional("text"),
            "autolaunchable": _optional("boolean"),  # later than 2.0
        },
    ),
    "feedbacks": Shape("feedback", {"feedback": Member("feedback", required=True, many=True)}),
    "feedback": Shape(
        "feedback",
        {
            "card": _required("text"),
            "outcome": _required("text"),  # its two values: cds-fb-1
            "acceptedSuggestions": _several("accepted"),
            "overrideReason": _optional("override"),
            "outcomeTimestamp": _required("moment"),
        },
    ),
    "accepted": Shape("suggestion-accepted", {"id": _required("text")}),
    "override": Shape("overridereason", {"reason": _optional("coding"), "userComment": _optional("text")}),
    "coding": Shape("coding", {"code": _required("text"), "system": _required("text"), "display": _optional("text")}),
    "patient-view": Shape("patient-view", _USER_AND_PATIENT),
    "order-select": Shape(
        "order-select",
        _USER_AND_PATIENT | {"selections": Member("text", required=True, many=True), "draftOrders": _required("open")},
    ),
    "order-sign": Shape("order-sign", _USER_AND_PATIENT | {"draftOrders": _required("open")}),
}

# Hooks whose context we know, and who may be their user.
HOOKS = {
    "patient-view": ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson"),
    "order-select": ("Practitioner", "PractitionerRole"),
    "order-sign": ("Practitioner", "PractitionerRole"),
}
