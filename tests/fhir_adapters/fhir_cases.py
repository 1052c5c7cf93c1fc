# ruff: noqa: E501  one broken resource a line
"""Resources for the tests of the rules: valid ones, and one way to break each rule."""

import base64
import copy
import hashlib
from decimal import Decimal

from fhir_adapters.example import examples

NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Texte.</p></div>'}
UCUM_PERCENT = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
AI = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}]}
DATA = b"Certificat lisible"

RISK = {
    "resourceType": "RiskAssessment",
    "meta": AI,
    "text": NARRATIVE,
    "status": "final",
    "subject": {"reference": "Group/1"},
    "performer": {"reference": "Device/1"},
    "prediction": [
        {"probabilityDecimal": Decimal("85.0"), "whenPeriod": {"start": "2025-03-01", "end": "2025-03-02"}},
    ],
}
DOCUMENT = {
    "resourceType": "DocumentReference",
    "meta": AI,
    "text": NARRATIVE,
    "status": "current",
    "docStatus": "preliminary",
    "date": "2025-03-05T08:00:00+01:00",
    "author": [{"reference": "Device/1"}],
    "content": [
        {
            "attachment": {
                "contentType": "text/plain",
                "language": "fr-FR",
                "data": base64.b64encode(DATA).decode(),
                "size": len(DATA),
                "hash": base64.b64encode(hashlib.sha1(DATA).digest()).decode(),
            }
        }
    ],
}
PATIENT = {
    "resourceType": "Patient",
    "text": NARRATIVE,
    "identifier": [{"system": "urn:oid:1.2.250.1.999", "value": "IPP-FICTIF-1"}],
    "name": [{"family": "Exemple", "given": ["Alice", None], "_given": [None, {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}]}],
    "gender": "female",
    "birthDate": "1943-02",
    "contact": [{"name": {"text": "Fille"}, "telecom": [{"system": "phone", "value": "+33 1 99 00 00 00"}]}],
}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}], "text": NARRATIVE}
ORDER = {
    "resourceType": "MedicationRequest",
    "text": NARRATIVE,
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": "B01AE07"}]},
    "subject": {"reference": "Patient/1"},
    "dosageInstruction": [
        {"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, "doseAndRate": [{"doseQuantity": {"value": 150, "unit": "mg"}}]}
    ],
}  # fmt: skip
CAPABILITY = {
    "resourceType": "CapabilityStatement",
    "text": NARRATIVE,
    "status": "active",
    "date": "2025-01-01",
    "kind": "instance",
    "implementation": {"description": "essai"},
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [{"mode": "server", "resource": [{"type": "Device", "interaction": [{"code": "read"}]}]}],
}
CONTAINED = {
    "resourceType": "DetectedIssue",
    "text": NARRATIVE,
    "status": "final",
    "contained": [{"resourceType": "Device", "id": "d", "identifier": [{"value": "x"}]}],
    "author": {"reference": "#d"},
}
ABSENT_STATUS = {
    "resourceType": "DetectedIssue",
    "text": NARRATIVE,
    "_status": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]},
}  # fmt: skip
SEARCHSET = {
    "resourceType": "Bundle",
    "type": "searchset",
    "total": 1,
    "entry": [{"fullUrl": "http://x/Patient/1", "resource": PATIENT | {"id": "1"}, "search": {"mode": "match"}}],
}
RISK_RANGE = RISK | {
    "prediction": [
        {
            "probabilityRange": {"low": UCUM_PERCENT | {"value": 10}, "high": UCUM_PERCENT | {"value": 30}},
            "whenPeriod": {"start": "2025-03-01T00:00:00Z"},
        }
    ]
}

EXAMPLES = examples()
ISSUE = EXAMPLES["DetectedIssue-renal-dose-in-the-outbox.json"]
DEVICE = EXAMPLES["Device-prescription-review.json"]
PROVENANCE = EXAMPLES["Provenance-renal-dose-in-the-outbox.json"]
TRANSACTION = EXAMPLES["Bundle-renal-dose-as-sent.json"]

VALID = {
    **EXAMPLES,
    "RiskAssessment with a percentage": RISK,
    "RiskAssessment with a range in per cent": RISK_RANGE,
    "DocumentReference with its hash": DOCUMENT,
    "Patient with a partial birth date": PATIENT,
    "OperationOutcome": OUTCOME,
    "MedicationRequest": ORDER,
    "CapabilityStatement": CAPABILITY,
    "a contained Device that is used": CONTAINED,
    "a status that is absent for a reason": ABSENT_STATUS,
    "a searchset": SEARCHSET,
}


def changed(resource, path, value):
    """A copy with the value at a dotted path replaced; ``None`` takes it away."""
    copied = copy.deepcopy(resource)
    node = copied
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        node = node[part]
    if value is None:
        del node[last]
    elif last == "+":
        node.append(value)
    else:
        node[last] = value
    return copied


SCRIPT = '<div xmlns="http://www.w3.org/1999/xhtml"><p>x</p><script>alert(1)</script></div>'
ONCLICK = '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x()">x</p></div>'
LINK = '<div xmlns="http://www.w3.org/1999/xhtml"><a href=" JavaScript:x()">x</a></div>'
BOMB = '<!DOCTYPE d [<!ENTITY a "aaa">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>'
ENTRY = TRANSACTION["entry"][0]

# what is wrong → (resource, path, value, rule that must find it)
BROKEN = {
    # bindings
    "a status that R4 does not have": (ISSUE, "status", "done", "binding"),
    "the R5 status mitigated": (ISSUE, "status", "mitigated", "binding"),
    "severity critical": (ISSUE, "severity", "critical", "binding"),
    "docStatus draft": (DOCUMENT, "docStatus", "draft", "binding"),
    "relatesTo derived-from": (DOCUMENT, "relatesTo", [{"code": "derived-from", "target": {"reference": "DocumentReference/1"}}], "binding"),
    "a Device with status on": (DEVICE, "status", "on", "binding"),
    "an entity role of PROV": (PROVENANCE, "entity.0.role", "wasDerivedFrom", "binding"),
    "a verb that HTTP does not have": (TRANSACTION, "entry.0.request.method", "UPSERT", "binding"),
    # reference targets
    "a risk of a Location": (RISK, "subject.reference", "Location/1", "reference-target"),
    "a risk of a Location by absolute address": (RISK, "subject.reference", "https://x.example/fhir/Location/1", "reference-target"),
    "an Organization as author": (ISSUE, "author", {"reference": "Organization/1"}, "reference-target"),
    "a Device that mitigates": (ISSUE, "mitigation", [{"action": {"text": "x"}, "author": {"reference": "Device/1"}}], "reference-target"),
    "a Device that authenticates": (DOCUMENT, "authenticator", {"reference": "Device/1"}, "reference-target"),
    "a Device that annotates": (RISK, "note", [{"authorReference": {"reference": "Device/1"}, "text": "x"}], "reference-target"),
    "a patient that is a Group": (ISSUE, "patient", {"reference": "Group/1"}, "reference-target"),
    "a stand-in declared as another type": (ISSUE, "patient.type", "Location", "reference-target"),
    "a type that contradicts the reference": (ISSUE, "author", {"reference": "Device/1", "type": "Practitioner"}, "reference-type"),
    "a reference to a type of R4B": (ISSUE, "implicated.0.reference", "Citation/1", "reference-target"),
    "a reference without anything in it": (ISSUE, "implicated.0", {"type": "MedicationRequest"}, "reference-empty"),
    # structure
    "a required element that is missing": (ISSUE, "status", None, "required"),
    "the R5 name subject": (ISSUE, "subject", {"reference": "Patient/1"}, "unknown-element"),
    "the R5 list of contexts": (DOCUMENT, "context", [{"encounter": []}], "cardinality"),
    "the R5 CodeableConcept in relatesTo": (DOCUMENT, "relatesTo", [{"code": {"text": "x"}, "target": {"reference": "DocumentReference/1"}}], "primitive"),
    "one object where a list is due": (ISSUE, "identifier", {"value": "1"}, "cardinality"),
    "an empty list": (ISSUE, "mitigation", [], "ele-1"),
    "an empty object": (ISSUE, "code", {}, "ele-1"),
    "two choices of one element": (ISSUE, "identifiedPeriod", {"start": "2025-01-01"}, "choice"),
    "an element of nobody": (PROVENANCE, "identifier", [{"value": "1"}], "unknown-element"),
    "a resource of R4B inside": (CONTAINED, "contained.+", {"resourceType": "SubscriptionStatus", "id": "s"}, "resource-type"),
    "no resource type": (ISSUE, "resourceType", "Issue", "resource-type"),
    # primitives
    "a time without a zone": (ISSUE, "identifiedDateTime", "2025-03-05T07:00:00", "primitive"),
    "a time without seconds": (ISSUE, "identifiedDateTime", "2025-03-05T07:00Z", "primitive"),
    "hour 24": (ISSUE, "identifiedDateTime", "2025-03-05T24:00:00Z", "primitive"),
    "a date where an instant is due": (PROVENANCE, "recorded", "2025-03-05", "primitive"),
    "a probability as text": (RISK, "prediction.0.probabilityDecimal", "85", "primitive"),
    "an address with a space": (ISSUE, "identifier.0.system", "https://x example/id", "primitive"),
    "a code with two spaces": (ISSUE, "code.coding.0.code", "DOSE  H", "primitive"),
    "bad base64": (DOCUMENT, "content.0.attachment.data", "%%%", "primitive"),
    "a negative size": (DOCUMENT, "content.0.attachment.size", -1, "primitive"),
    "an id with a slash": (ISSUE, "id", "a/b", "primitive"),
    "a text of blanks": (ISSUE, "detail", "   ", "primitive"),
    "null": (ISSUE, "severity", ..., "primitive"),
    "true as a number": (RISK, "prediction.0.probabilityDecimal", True, "primitive"),
    # the percentage
    "0.85 meant as 85 %": (RISK, "prediction.0.probabilityDecimal", Decimal("0.85"), "probability-below-one"),
    "850 %": (RISK, "prediction.0.probabilityDecimal", 850, "ras-2"),
    "a negative probability": (RISK, "prediction.0.probabilityDecimal", -1, "probability-scale"),
    "a prediction without a number": (RISK, "prediction.0.probabilityDecimal", None, "ras-2"),
    "a range that is not in per cent": (RISK_RANGE, "prediction.0.probabilityRange.low.code", "1", "ras-1"),
    "a range above 100 %": (RISK_RANGE, "prediction.0.probabilityRange.high.value", 130, "probability-scale"),
    "a range upside down": (RISK_RANGE, "prediction.0.probabilityRange.low.value", 60, "rng-2"),
    "a prediction for the whole life": (RISK, "prediction.0.whenPeriod", None, "when-absent"),
    "a retraction that keeps its prediction": (RISK, "status", "entered-in-error", "retraction"),
    # invariants
    "a period that ends before it starts": (RISK, "prediction.0.whenPeriod.end", "2025-02-01", "per-1"),
    "data without a type": (DOCUMENT, "content.0.attachment.contentType", None, "att-1"),
    "a size that is wrong": (DOCUMENT, "content.0.attachment.size", 3, "attachment-size"),
    "a hash in hexadecimal": (DOCUMENT, "content.0.attachment.hash", base64.b64encode(b"0" * 20).decode(), "attachment-hash"),
    "an extension without content": (ISSUE, "extension.0", {"url": "https://x.example/e"}, "ext-1"),
    "an extension with both": (ISSUE, "extension.0", {"url": "https://x.example/e", "valueCode": "a", "extension": [{"url": "b", "valueCode": "c"}]}, "ext-1"),
    "a contained resource that nobody uses": (CONTAINED, "author", {"reference": "Device/1"}, "dom-3"),
    "a reference to nothing contained": (ISSUE, "author", {"reference": "#nobody"}, "ref-1"),
    "contained in contained": (CONTAINED, "contained.0.contained", [{"resourceType": "Device", "id": "e"}], "dom-2"),
    "a unit code without its system": (RISK_RANGE, "prediction.0.probabilityRange.low.system", None, "qty-3"),
    "a contact without details": (PATIENT, "contact", [{"gender": "male"}], "pat-1"),
    "a phone without its kind": (PATIENT, "telecom", [{"value": "0199000000"}], "cpt-2"),
    "no narrative": (ISSUE, "text", None, "dom-6"),
    # narratives
    "a script": (ISSUE, "text.div", SCRIPT, "txt-1"),
    "an event handler": (ISSUE, "text.div", ONCLICK, "txt-1"),
    "a link that runs": (ISSUE, "text.div", LINK, "txt-1"),
    "entities that grow": (ISSUE, "text.div", BOMB, "txt-1"),
    "a narrative that is not XML": (ISSUE, "text.div", "<div>a & b", "txt-1"),
    "an empty narrative": (ISSUE, "text.div", '<div xmlns="http://www.w3.org/1999/xhtml"> </div>', "txt-2"),
    # bundles
    "an entry without fullUrl": (TRANSACTION, "entry.0.fullUrl", None, "bdl-8"),
    "a fullUrl with a version": (TRANSACTION, "entry.0.fullUrl", "https://x/fhir/Device/1/_history/2", "bdl-8"),
    "an entry without request": (TRANSACTION, "entry.0.request", None, "bdl-3"),
    "the same fullUrl twice": (TRANSACTION, "entry.0.fullUrl", TRANSACTION["entry"][1]["fullUrl"], "bdl-7"),
    "one identity written twice": (TRANSACTION, "entry.+", ENTRY | {"fullUrl": "https://x/other"}, "same-target-twice"),
    "a urn that nobody has": (TRANSACTION, "entry.1.resource.author.reference", "urn:uuid:0", "urn-unknown"),
    "a total in a transaction": (TRANSACTION, "total", 3, "bdl-1"),
    # traps of delivery and of marking
    "a vertical bar in an identifier": (ISSUE, "identifier.0.value", "a|b", "identifier-bar"),
    "a machine's output without the mark": (ISSUE, "meta.security", None, "ai-marking"),
    "an interaction of one drug": (ISSUE, "code.coding.0.code", "DRG", "two-drugs"),
    "a finding that HL7 does not list": (ISSUE, "code.coding.0.code", "MYCODE", "preferred-binding"),
}  # fmt: skip
