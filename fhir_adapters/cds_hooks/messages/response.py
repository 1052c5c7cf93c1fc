"""``check_response``: the cards and actions with which a service answers."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from fhir_adapters.cds_hooks.messages.resources import said
from fhir_adapters.cds_hooks.messages.values import is_uuid
from fhir_adapters.cds_hooks.messages.walk import objects, walk
from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]

SUMMARY_BELOW = 140
ACTION_SELECTIONS = ("all", "any", "at-most-one")
_RELATIVE = re.compile(r"[A-Z]\w+/[A-Za-z0-9.\-]{1,64}")
# What makes a screen that renders the detail without care run it: GitHub's own renderer drops these tags.
_ACTIVE = re.compile(
    r"(?<!\\)<\s*/?\s*(script|iframe|object|embed|style|img|svg|form)\b|(?<!\\)\]\(\s*javascript:", re.I
)


def check_response(body: Any) -> list[Problem]:
    """Every problem of the body of a 200 answer."""
    problems = list(walk("answer", body))
    for index, card in objects(body, "cards"):
        problems += _card(card, f"cards[{index}]")
    for index, action in objects(body, "systemActions"):
        problems += _system_action(action, f"systemActions[{index}]")
    return problems + list(_repeated(body))


def _card(card: Json, path: str) -> Iterator[Problem]:
    summary, detail = card.get("summary"), card.get("detail")
    if isinstance(summary, str) and len(summary) >= SUMMARY_BELOW:
        yield Problem(f"{path}.summary", "card-attributes:summary", f"fewer than {SUMMARY_BELOW} characters")
    if isinstance(detail, str) and _ACTIVE.search(detail):
        yield Problem(f"{path}.detail", "security-and-safety:active", "active content in the detail", "warning")
    if isinstance(card.get("uuid"), str) and not is_uuid(card["uuid"]):
        yield Problem(f"{path}.uuid", "card-attributes:uuid", "HL7's model expects a UUID", "warning")
    yield from _suggestions(card, path)
    for index, reason in objects(card, "overrideReasons"):
        if "display" not in reason:
            at = f"{path}.overrideReasons[{index}].display"
            yield Problem(at, "cds-resp-4", "a reason that people choose from needs its display")
    for index, link in objects(card, "links"):
        if link.get("type") != "smart" and "appContext" in link:
            yield Problem(f"{path}.links[{index}].appContext", "cds-resp-3", "appContext is for smart links only")


def _suggestions(card: Json, path: str) -> Iterator[Problem]:
    suggestions = objects(card, "suggestions")
    if suggestions and "selectionBehavior" not in card:
        yield Problem(f"{path}.selectionBehavior", "cds-resp-6", "required where there are suggestions")
    recommended = [s for _, s in suggestions if s.get("isRecommended") is True]
    if card.get("selectionBehavior") == "at-most-one" and len(recommended) > 1:
        yield Problem(f"{path}.suggestions", "cds-resp-1", "at most one may be chosen, and several are recommended")
    for index, suggestion in suggestions:
        at = f"{path}.suggestions[{index}]"
        if suggestion.get("actionSelectionBehavior", "all") not in ACTION_SELECTIONS:
            yield Problem(f"{at}.actionSelectionBehavior", "cds-resp-7", f"one of {', '.join(ACTION_SELECTIONS)}")
        for position, action in objects(suggestion, "actions"):
            where = f"{at}.actions[{position}]"
            if "description" not in action:
                yield Problem(f"{where}.description", "cds-resp-5", "an action needs its description")
            yield from _action(action, where)


def _system_action(action: Json, path: str) -> Iterator[Problem]:
    if "description" not in action:
        # The table requires it, the example beside it has none, and cds-resp-5 is about suggestions.
        yield Problem(f"{path}.description", "system-action:description", "an action has a description", "warning")
    yield from _action(action, path)


def _action(action: Json, path: str) -> Iterator[Problem]:
    kind = action.get("type")
    if kind in ("create", "update"):
        yield from said(action.get("resource"), f"{path}.resource", "action")
    elif kind == "delete" and ("resourceId" not in action or "resource" in action):
        yield Problem(path, "cds-resp-2", "a delete names its resource by resourceId alone", "warning")
    target = action.get("resourceId")
    if isinstance(target, str) and not _RELATIVE.fullmatch(target):
        yield Problem(f"{path}.resourceId", "action:resourceId", "a relative reference is expected: Type/id")


def _repeated(body: Any) -> Iterator[Problem]:
    cards = [card for _, card in objects(body, "cards")]
    named = [str(card["uuid"]) for card in cards if "uuid" in card]
    named += [str(s["uuid"]) for card in cards for _, s in objects(card, "suggestions") if "uuid" in s]
    if any(count > 1 for count in Counter(named).values()):
        yield Problem("cards", "card-attributes:repeated", "two cards or suggestions have the same uuid")
