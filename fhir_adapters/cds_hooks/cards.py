"""Card: a finding about an order, on the screen of whoever signs it."""

from typing import Any

from fhir_adapters.cds_hooks.markdown import markdown, plain, shortened
from fhir_adapters.cds_hooks.messages.response import SUMMARY_BELOW
from fhir_adapters.cds_hooks.overrides import OVERRIDE_REASONS, OVERRIDES
from fhir_adapters.cds_hooks.suggestions import (
    CONTRAINDICATED,
    CONTRAINDICATIONS,
    DESCRIPTION,
    DUPLICATES,
    LABEL,
)
from fhir_adapters.findings import SEVERITIES, V3_ACT_CODE
from fhir_adapters.french import number
from fhir_adapters.identifiers import resource_id
from fhir_adapters.probability import Probability
from fhir_adapters.site import Site
from fhir_adapters.wording import NOT_SEEN, about_order, evidence_labels, origin, reason, strongest, title
from models.contract import Prediction, Severity

Json = dict[str, Any]

INDICATORS: dict[Severity | None, str] = {"high": "critical", "moderate": "warning", "low": "info", None: "info"}
DEFAULT_SITE = Site()


def card(prediction: Prediction, site: Site = DEFAULT_SITE, *, draft_order: str | None = None) -> Json:
    """The card of one prediction of ``prescription_review``.

    Its uuid is the prediction's id, and so the id of the DetectedIssue: feedback finds its way back.

    Args:
        draft_order: ``Type/id`` of the order that it is about, where it is one of the hook's drafts; only such an
            order can be proposed for removal.
    """
    named = title(prediction.category)
    found: Json = {
        "uuid": prediction.prediction_id,
        "summary": shortened(" : ".join(filter(None, (named, plain(prediction.message)))), SUMMARY_BELOW),
        "detail": _detail(prediction, site),
        "indicator": INDICATORS[prediction.severity],
        "source": _source(prediction, site),
    }
    if draft_order is not None and _is_to_drop(prediction):
        found |= {"suggestions": [_drop(prediction, draft_order)], "selectionBehavior": "at-most-one"}
    return found | {"overrideReasons": [_coding(o.code, o.display, OVERRIDE_REASONS) for o in OVERRIDES]}


def suggestion_id(card_uuid: str) -> str:
    """The uuid of the suggestion of a card; feedback names it."""
    return resource_id("Suggestion", card_uuid)


def _detail(prediction: Prediction, site: Site) -> str:
    """GitHub-flavoured markdown: what, how sure, on which rows, which variables, which model."""
    severity = f" Gravité {SEVERITIES[prediction.severity]}." if prediction.severity else ""
    percent = number(Probability.of_fraction(prediction.probability).percent())
    blocks = [
        " : ".join(filter(None, (f"**{markdown(title(prediction.category))}**", markdown(prediction.message)))),
        f"Probabilité estimée : {percent} %.{severity}",
        *_listed("Repose sur :", evidence_labels(prediction)),
        *_listed("Ce qui pèse le plus dans le score :", [reason(c) for c in strongest(prediction.contributions)]),
        markdown(f"{origin(prediction, site)} {NOT_SEEN}"),
    ]
    return "\n\n".join(blocks)


def _listed(heading: str, points: list[str]) -> list[str]:
    return [heading, "\n".join(f"- {markdown(point)}" for point in points)] if points else []


def _source(prediction: Prediction, site: Site) -> Json:
    label = f"Aide à la décision Passerelle : {prediction.model} {prediction.model_version}"
    topic = _coding(prediction.category, title(prediction.category), V3_ACT_CODE)
    return {"label": plain(label), "url": f"{site.model_registry}/#/models/{prediction.model}", "topic": topic}


def _is_to_drop(prediction: Prediction) -> bool:
    contraindicated = prediction.category in CONTRAINDICATIONS and prediction.severity == CONTRAINDICATED
    return contraindicated or prediction.category in DUPLICATES


def _drop(prediction: Prediction, draft_order: str) -> Json:
    order = about_order(prediction)
    named = f" : {plain(order.label)}" if order is not None and order.label.strip() else ""
    action = {"type": "delete", "description": f"{DESCRIPTION}{named}", "resourceId": draft_order}
    return {"label": LABEL, "uuid": suggestion_id(prediction.prediction_id), "actions": [action]}


def _coding(code: str, display: str, system: str) -> Json:
    return {"code": code, "system": system, "display": display}
