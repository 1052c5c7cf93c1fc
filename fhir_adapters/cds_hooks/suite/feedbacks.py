"""The feedback endpoint, where a service has one."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from fhir_adapters.cds_hooks.messages import source_of
from fhir_adapters.cds_hooks.suite.broken import must_refuse
from fhir_adapters.cds_hooks.suite.server import Service
from fhir_adapters.cds_hooks.suite.verdict import Check, Failed, Skipped

Json = dict[str, Any]

NOT_OFFERED = (404, 405, 501)


def entry(card: Json, outcome: str, **members: Any) -> Json:
    """One entry about a card, now."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"card": card["uuid"], "outcome": outcome, "outcomeTimestamp": moment} | members


def _card(service: Service) -> Json:
    """A card that feedback can name, of a service that wants feedback."""
    cards = [card for card in service.cards() if "uuid" in card]
    if not cards:
        raise Skipped("no card with a uuid came back, so a client sends no feedback")
    return cards[0]


def _post(service: Service, body: Any) -> httpx.Response:
    return service.server.send(f"{service.id}/feedback", body)


def _taken(service: Service, *entries: Json) -> str:
    reply = _post(service, {"feedback": list(entries)})
    if reply.status_code in NOT_OFFERED:
        raise Skipped(f"{reply.status_code}: the service has no feedback endpoint, which the text allows")
    if not reply.is_success:
        raise Failed(f"{reply.status_code} where 2xx is expected")
    service.takes_feedback = True
    return str(reply.status_code)


def _needs_endpoint(service: Service) -> None:
    """What is refused says something only of an endpoint that takes what is right."""
    _card(service)
    if not service.takes_feedback:
        raise Skipped("the service takes no feedback that is right")


def _overridden(service: Service) -> str:
    return _taken(service, entry(_card(service), "overridden"))


def _with_reason(service: Service) -> str:
    card = _card(service)
    reasons = card.get("overrideReasons", [])
    reason = {"reason": {name: reasons[0][name] for name in ("code", "system")}} if reasons else {}
    return _taken(service, entry(card, "overridden", overrideReason=reason | {"userComment": "Vu avec l'équipe."}))


def _accepted(service: Service) -> str:
    named = [(card, s) for card in service.cards() if "uuid" in card
             for s in card.get("suggestions", ()) if "uuid" in s]  # fmt: skip
    if not named:
        raise Skipped("no suggestion with a uuid came back, so nothing can be accepted")
    card, suggestion = named[0]
    return _taken(service, entry(card, "accepted", acceptedSuggestions=[{"id": suggestion["uuid"]}]))


def _repeated(service: Service) -> str:
    """The text: a service may receive feedback for the same card several times."""
    given = entry(_card(service), "overridden")
    _taken(service, given)
    return _taken(service, given, given)


def _unknown_service(service: Service) -> str:
    _needs_endpoint(service)
    body = {"feedback": [entry(_card(service), "overridden")]}
    reply = service.server.send(f"no-such-service-{uuid.uuid4()}/feedback", body)
    if reply.status_code != httpx.codes.NOT_FOUND:
        raise Failed(f"{reply.status_code} where 404 is expected")
    return "404"


def _refuses(change: Callable[[Json], Any], service: Service) -> str:
    _needs_endpoint(service)
    return must_refuse(_post(service, change(entry(_card(service), "overridden"))))


def _changed(**members: Any) -> Callable[[Json], Json]:
    """An entry with other members; None leaves one out."""
    return lambda given: {"feedback": [{n: v for n, v in (given | members).items() if v is not None}]}


_BODIES: tuple[tuple[str, str, str, Callable[[Json], Any]], ...] = (
    ("entry-alone", "feedback:required", "an entry that is not in an array", lambda given: given),
    ("no-entry", "use-of-json:empty", "no entry at all", lambda _: {"feedback": []}),
    ("no-card", "feedback:required", "an entry without its card", _changed(card=None)),
    ("no-time", "feedback:required", "an entry without its time", _changed(outcomeTimestamp=None)),
    ("time", "feedback:type", "a time without its zone", _changed(outcomeTimestamp="2025-03-05T10:00:00")),
    ("outcome", "cds-fb-1", "an outcome that is not in the text", _changed(outcome="ignored")),
    ("accepted-nothing", "cds-fb-2", "accepted, and no suggestion named", _changed(outcome="accepted")),
    ("reason-empty", "cds-fb-3", "an override reason with nothing in it", _changed(overrideReason={"extension": {}})),
)

_F = source_of("feedback:endpoint")
FEEDBACK_CHECKS: tuple[Check[Service], ...] = (
    Check("feedback-overridden", _F, "a card that was set aside without a reason", _overridden),
    Check("feedback-reason", source_of("overridereason:reason"), "a reason of the card, and a comment", _with_reason),
    Check("feedback-accepted", source_of("suggestion-accepted:id"), "a suggestion that was followed", _accepted),
    Check("feedback-repeated", source_of("suggestion-accepted:repeated"), "the same card again", _repeated),
    Check("feedback-unknown-service", _F, "feedback to a service that is not there is 404", _unknown_service),
    *(Check(f"feedback-refuses-{id_}", source_of(rule), f"refused: {what}", partial(_refuses, change))
      for id_, rule, what, change in _BODIES),
)  # fmt: skip
