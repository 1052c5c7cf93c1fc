"""DocumentReference: what a model found in a note, or read on a scan; a text for people and the same for programs."""

import base64
import hashlib
from typing import Any

from fhir_adapters.cases import CASES, DOCUMENT_TYPES, SPAN_WORDS
from fhir_adapters.device import device_reference, organization
from fhir_adapters.exact_json import dumps
from fhir_adapters.extensions import extraction_confidence
from fhir_adapters.french import clean, instant, narrative, number, significant
from fhir_adapters.identifiers import resource_id
from fhir_adapters.marking import meta
from fhir_adapters.placeholder import person_reference, row_reference, visit_reference
from fhir_adapters.probability import Probability
from fhir_adapters.site import CANONICAL, Site
from fhir_adapters.wording import NOT_SEEN, origin
from models.contract import Document, Prediction, Span
from passerelle.errors import FhirError

Json = dict[str, Any]

LOINC = "http://loinc.org"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CATEGORIES = f"{CANONICAL}/CodeSystem/document-category"
FORMATS = f"{CANONICAL}/CodeSystem/document-format"
SHOWN_SPANS = 20


def document_reference(prediction: Prediction, site: Site) -> Json:
    """The DocumentReference of one prediction, with stand-ins for the patient and for the rows it rests on.

    Another content is another document, so the content is part of the id; which document it replaces is known at
    the target only. ``docStatus`` is preliminary until a person authenticates it, which a Device cannot do.

    Raises:
        FhirError: the prediction has no document, or no person.
    """
    document, person_id = prediction.document, prediction.person_id
    if document is None or person_id is None:
        raise FhirError(
            f"a prediction of {prediction.model} without a document of one person",
            looked="Prediction.document and person_id",
            do="give what the model wrote, and for whom",
        )
    case = CASES[prediction.model]
    id_ = resource_id("DocumentReference", prediction.prediction_id, _fingerprint(prediction, document))
    resource: Json = {
        "resourceType": "DocumentReference",
        "id": id_,
        "meta": meta("DocumentReference"),
        "language": "fr-FR",
        "text": _narrative(prediction, document, site),
        "masterIdentifier": {"system": site.document_system, "value": id_},
        "identifier": [{"system": site.prediction_system, "value": prediction.prediction_id}],
        "status": "current",
        "docStatus": "preliminary",
        "type": {"coding": [_document_type(document.loinc)]},
        "category": [{"coding": [{"system": CATEGORIES, "code": "ai-extraction"}], "text": case.title}],
        "subject": person_reference(person_id),
        "date": instant(prediction.index_time),
        "author": [device_reference(prediction)],
        "custodian": organization(site),
        "relatesTo": [{"code": "transforms", "target": _source(document, site)}],
        "description": clean(prediction.message),
        "securityLabel": [{"coding": [{"system": CONFIDENTIALITY, "code": case.confidentiality}]}],
        "content": _contents(prediction, document, site),
    }
    return resource | {"context": _context(prediction, document, site)}


def attachment(content_type: str, text: str, title: str) -> Json:
    """Text as an Attachment, with its size in bytes and its SHA-1 as R4 wants it: base64 of the digest."""
    data = text.encode()
    return {
        "contentType": content_type,
        "language": "fr-FR",
        "data": base64.b64encode(data).decode(),
        "size": len(data),
        "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
        "title": title,
    }


def _fingerprint(prediction: Prediction, document: Document) -> str:
    made_by = f"{prediction.model_version}|{prediction.model_sha256}|{prediction.probability!r}"
    return hashlib.sha256(f"{made_by}|{document!r}".encode()).hexdigest()


def _document_type(loinc: str) -> Json:
    display = DOCUMENT_TYPES.get(loinc)
    return {"system": LOINC, "code": loinc} | ({"display": display} if display else {})


def _source(document: Document, site: Site) -> Json:
    return row_reference(document.source, site) | {"type": "DocumentReference"}


def _contents(prediction: Prediction, document: Document, site: Site) -> list[Json]:
    title, confidence = clean(document.title), Probability.of_fraction(prediction.probability)
    sure = {"extension": [extraction_confidence(confidence)]}
    found = {"source_sha256": document.source_sha256, "spans": [_span(s, site) for s in document.spans]}
    structured = attachment("application/json", dumps(found), f"{title} : {SPAN_WORDS}")
    form = {"system": FORMATS, "code": "spans-1", "display": "Spans of a text, version 1"}
    return [
        sure | {"attachment": attachment("text/plain", clean(document.text) or "(aucun texte)", title)},
        sure | {"attachment": structured, "format": form},
    ]


def _span(span: Span, site: Site) -> Json:
    found: Json = {
        "start": span.start, "end": span.end, "label": span.label, "value": span.value,
        "confidence": significant(span.confidence), "refused": span.refused,
    }  # fmt: skip
    if span.evidence is not None:
        key = f"{span.evidence.table}/{span.evidence.row_id}"
        found["row"] = {"system": site.omop_row_system, "value": key}
    return found


def _context(prediction: Prediction, document: Document, site: Site) -> Json:
    context: Json = {}
    if prediction.visit_occurrence_id is not None:
        context["encounter"] = [visit_reference(prediction.visit_occurrence_id)]
    context["period"] = {"start": instant(prediction.valid_from)}
    rows = [*prediction.evidence, *(span.evidence for span in document.spans if span.evidence is not None)]
    related = [row_reference(row, site) for row in dict.fromkeys(rows) if row != document.source]
    return context | ({"related": related} if related else {})


def _narrative(prediction: Prediction, document: Document, site: Site) -> Json:
    sure = f"Confiance globale : {number(Probability.of_fraction(prediction.probability).percent())} %."
    refused = sum(span.refused for span in document.spans)
    if refused:
        sure += f" {refused} passage{'s' if refused > 1 else ''} à relire : la confiance y est insuffisante."
    said = f"{CASES[prediction.model].title} : {clean(prediction.message)}"
    lines = [clean(line) for line in document.text.splitlines() if clean(line)]
    return narrative([said, sure, f"{origin(prediction, site)} {NOT_SEEN}"], lines[:SHOWN_SPANS])
