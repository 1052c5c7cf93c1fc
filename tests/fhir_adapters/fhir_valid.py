"""Valid clinical resources for the tests of the rules, with the corners of R4 that are easily taken for errors.

Every one of them is accepted by the official validator (``make conformance``). The patients are invented.
"""

import base64
import hashlib
from decimal import Decimal

from fhir_adapters.extensions import FEATURE_CONTRIBUTION

UCUM = "http://unitsofmeasure.org"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
LOINC = "http://loinc.org"
REASON_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN = {"extension": [{"url": REASON_ABSENT, "valueCode": "unknown"}]}
AI = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}]}
IPP = {
    "use": "usual",
    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
    "system": "urn:oid:1.2.250.1.999.1",
    "value": "IPP-FICTIF-1",
}
DATA = b"Certificat lisible"
SCAN = "https://dpi.chu-demo.example/fhir/Binary/scan-1"


def text(words):
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{words}</p></div>'}


def percent(value):
    return {"value": value, "unit": "%", "system": UCUM, "code": "%"}


def count(value):
    return {"value": value, "unit": "admissions", "system": UCUM, "code": "1"}


def day(date):
    return {"start": f"{date}T00:00:00+01:00", "end": f"{date}T23:59:59+01:00"}


def coded(system, code, words=None):
    return {"coding": [{"system": system, "code": code}]} | ({"text": words} if words else {})


def attached(data, **more):
    digest = base64.b64encode(hashlib.sha1(data).digest()).decode()
    return {"data": base64.b64encode(data).decode(), "size": len(data), "hash": digest} | more


RISK = {
    "resourceType": "RiskAssessment",
    "meta": AI,
    "text": text("Risque de pic : 85 %."),
    "identifier": [{"system": "https://chu-demo.example/fhir/NamingSystem/prediction-id", "value": "0c16bb79"}],
    "status": "final",
    "method": coded("https://chu-demo.example/fhir/CodeSystem/model", "respiratory-peaks"),
    "subject": {"reference": "Group/1"},
    "occurrenceDateTime": "2025-03-01T06:00:00+01:00",
    "performer": {"reference": "Device/1"},
    "basis": [{"identifier": {"system": "https://chu-demo.example/fhir/NamingSystem/view-release", "value": "v1"}}],
    "prediction": [
        {
            "outcome": {"text": "pic d'admissions"},
            "probabilityDecimal": Decimal("85.0"),
            "relativeRisk": Decimal("1.40"),
            "whenPeriod": day("2025-03-01"),
            "rationale": "Circulation virale en hausse.",
        },
        {"outcome": {"text": "pic d'admissions"}, "probabilityDecimal": 100, "whenPeriod": day("2025-03-02")},
        {"outcome": {"text": "pic d'admissions"}, "probabilityDecimal": 0, "whenPeriod": day("2025-03-03")},
    ],
}
RISK_RANGE = RISK | {
    "subject": {"reference": "Patient/1", "type": "Patient", "identifier": IPP},
    "encounter": {"reference": "Encounter/1"},
    "condition": {"reference": "Condition/sepsis"},
    "prediction": [
        {
            "probabilityRange": {"low": percent(10), "high": percent(30)},
            "whenPeriod": {"start": "2025-03-01T00:00:00Z"},
        }
    ],
}
RISK_EXPLAINED = RISK_RANGE | {
    "prediction": [
        {
            "extension": [
                {
                    "url": FEATURE_CONTRIBUTION,
                    "extension": [
                        {"url": "feature", "valueCodeableConcept": {"text": "lactate"}},
                        {"url": "value", "valueDecimal": Decimal("3.10")},
                        {"url": "contribution", "valueDecimal": Decimal("-0.42")},
                        {"url": "scale", "valueCode": "log-odds"},
                    ],
                }
            ],
            "probabilityDecimal": Decimal("63.50"),
            "qualitativeRisk": coded("http://terminology.hl7.org/CodeSystem/risk-probability", "moderate"),
            "whenPeriod": {"start": "2025-03-01T00:00:00Z", "end": "2025-03-04T00:00:00Z"},
        }
    ],
}
RISK_BY_AGE = RISK_EXPLAINED | {
    "prediction": [
        {
            "probabilityDecimal": 12,
            "whenRange": {"low": {"value": 60, "unit": "ans", "system": UCUM, "code": "a"},
                          "high": {"value": 70, "unit": "ans", "system": UCUM, "code": "a"}},
        }
    ]
}  # fmt: skip
RISK_RARE = RISK | {
    "prediction": [
        {
            "probabilityDecimal": Decimal("0.4"),
            "qualitativeRisk": coded("http://terminology.hl7.org/CodeSystem/risk-probability", "negligible"),
            "whenPeriod": day("2025-03-01"),
        }
    ]
}
RISK_WITHDRAWN = {name: value for name, value in RISK.items() if name != "prediction"} | {
    "status": "entered-in-error",
    "text": text("RETIRÉE : unités d'un automate changées."),
    "note": [{"authorString": "Passerelle", "time": "2025-03-02T08:00:00+01:00", "text": "Version retirée."}],
}

DOCUMENT = {
    "resourceType": "DocumentReference",
    "meta": AI,
    "text": text("Transcription d'un certificat."),
    "status": "current",
    "docStatus": "preliminary",
    "type": coded(LOINC, "64297-5"),
    "date": "2025-03-05T08:00:00+01:00",
    "author": [{"reference": "Device/1"}],
    "content": [{"attachment": attached(DATA, contentType="text/plain", language="fr-FR", title="Certificat")}],
}
DOCUMENT_OF_SCAN = DOCUMENT | {
    "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.250.1.999.4.1"},
    "subject": {"reference": "Patient/1"},
    "custodian": {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "990000001"}},
    "relatesTo": [{"code": "transforms", "target": {"reference": "DocumentReference/scan"}}],
    "securityLabel": [coded("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R")],
    "content": [
        {"attachment": attached(DATA, contentType="text/plain;charset=utf-8", language="fr-FR")},
        {"attachment": {"contentType": "application/json", "url": "https://chu-demo.example/spans/1", "size": 412}},
    ],
    "context": {
        "encounter": [{"reference": "Encounter/1"}],
        "period": {"start": "2025-03-04"},
        "related": [{"reference": "Binary/scan-1"}, {"reference": "Procedure/biopsie"}],
    },
}
DOCUMENT_VALIDATED = DOCUMENT_OF_SCAN | {
    "docStatus": "final",
    "authenticator": {"reference": "Practitioner/1", "display": "Dr Exemple"},
    "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/ancien"}}],
}
DOCUMENT_BY_CONTAINED = DOCUMENT | {
    "contained": [
        {
            "resourceType": "Device",
            "id": "modele",
            "deviceName": [{"name": "handwriting", "type": "model-name"}],
            "owner": {"reference": "#chu"},
        },
        {"resourceType": "Organization", "id": "chu", "name": "CHU de démonstration"},
    ],
    "author": [{"reference": "#modele"}],
    "custodian": {"reference": "#chu"},
}
DOCUMENT_WITHDRAWN = DOCUMENT | {"status": "entered-in-error", "docStatus": "entered-in-error"}

ISSUE_PLAIN = {
    "resourceType": "DetectedIssue",
    "meta": AI,
    "text": text("Dose trop élevée."),
    "status": "preliminary",
    "code": coded(ACT_CODE, "DOSEH"),
    "severity": "moderate",
    "patient": {"reference": "Patient/1"},
    "identifiedPeriod": {"start": "2025-02", "end": "2025-03-05"},
    "author": {"reference": "Device/1"},
    "implicated": [{"reference": "MedicationRequest/1/_history/2"}],
}
ISSUE_MITIGATED = ISSUE_PLAIN | {
    "status": "final",
    "mitigation": [
        {"action": coded(ACT_CODE, "13"), "date": "2025-03-05T09:00:00Z", "author": {"reference": "PractitionerRole/1"}}
    ],
}
CONTAINED = {
    "resourceType": "DetectedIssue",
    "meta": AI,
    "text": text("Interaction."),
    "status": "final",
    "contained": [{"resourceType": "Device", "id": "d", "identifier": [{"value": "x"}]}],
    "author": {"reference": "#d"},
}
TIME_ABSENT = ISSUE_PLAIN | {"_identifiedDateTime": UNKNOWN}
del TIME_ABSENT["identifiedPeriod"]

GROUP = {
    "resourceType": "Group",
    "text": text("Admissions pour BPCO."),
    "type": "person",
    "actual": False,
    "managingEntity": {"reference": "Organization/1"},
    "characteristic": [
        {
            "code": {"text": "diagnostic principal"},
            "valueCodeableConcept": coded("http://hl7.org/fhir/sid/icd-10", "J44"),
            "exclude": False,
        },
        {"code": {"text": "lieu"}, "valueReference": {"reference": "Location/1"}, "exclude": False},
        {"code": {"text": "âge"}, "valueRange": {"low": {"value": 18, "unit": "ans", "system": UCUM, "code": "a"}},
         "exclude": False},
    ],
}  # fmt: skip
GROUP_ACTUAL = GROUP | {"actual": True, "quantity": 1, "member": [{"entity": {"reference": "Patient/1"}}]}

PATIENT = {
    "resourceType": "Patient",
    "text": text("Alice Exemple"),
    "identifier": [IPP],
    "name": [{"family": "Exemple", "given": ["Alice", None], "_given": [None, UNKNOWN]}],
    "gender": "female",
    "birthDate": "1943-02",
    "_birthDate": {"id": "naissance"},
    "contact": [{"name": {"text": "Fille"}, "telecom": [{"system": "phone", "value": "+33 1 99 00 00 00"}]}],
}
ORDER = {
    "resourceType": "MedicationRequest",
    "text": text("Dabigatran 150 mg"),
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": coded("http://www.whocc.no/atc", "B01AE07"),
    "subject": {"reference": "Patient/1"},
    "dosageInstruction": [
        {
            "timing": {"repeat": {"boundsDuration": {"value": 5, "unit": "j", "system": UCUM, "code": "d"},
                                  "frequency": 2, "period": 1, "periodUnit": "d", "when": ["ACM"], "offset": 30}},
            "doseAndRate": [{"doseQuantity": {"value": 150, "unit": "mg", "system": UCUM, "code": "mg"},
                             "rateRatio": {"numerator": {"value": 1}, "denominator": {"value": 1, "unit": "h"}}}],
            "asNeededBoolean": False,
        }
    ],
}  # fmt: skip
ORDER_CONTAINED = {name: value for name, value in ORDER.items() if name != "medicationCodeableConcept"} | {
    "contained": [
        {
            "resourceType": "Medication",
            "id": "m",
            "manufacturer": {"reference": "#labo"},
            "code": {"text": "préparation"},
        },
        {"resourceType": "Organization", "id": "labo", "name": "Laboratoire"},
    ],
    "medicationReference": {"reference": "#m"},
    "detectedIssue": [{"reference": "DetectedIssue/1"}],
}
LAB = {
    "resourceType": "Observation",
    "text": text("Créatinine 165 µmol/L"),
    "status": "final",
    "category": [coded("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")],
    "code": coded(LOINC, "14682-9"),
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2025-03-03T06:15:00.125+01:00",
    "performer": [{"reference": "Practitioner/1"}],
    "valueQuantity": {"value": Decimal("165.0"), "unit": "µmol/L", "system": UCUM, "code": "umol/L"},
    "referenceRange": [{"high": {"value": 110, "unit": "µmol/L", "system": UCUM, "code": "umol/L"}}],
}
PRESSURE = LAB | {
    "text": text("Pression 120/80"),
    "code": coded(LOINC, "85354-9"),
    "category": [coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
    "effectiveDateTime": "2025-03-03T06:15:00+01:00",
    "component": [
        {"code": coded(LOINC, code), "valueQuantity": {"value": value, "system": UCUM, "code": "mm[Hg]"}}
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ],
}
del PRESSURE["valueQuantity"], PRESSURE["referenceRange"]
LAB_ABSENT = {name: value for name, value in LAB.items() if name != "valueQuantity"} | {
    "dataAbsentReason": coded("http://terminology.hl7.org/CodeSystem/data-absent-reason", "error")
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "text": text("Hospitalisation"),
    "identifier": [{"system": "https://chu-demo.example/iep", "value": "IEP-FICTIF-1"}],
    "status": "in-progress",
    "class": {"system": ACT_CODE, "code": "IMP"},
    "subject": {"reference": "Patient/1"},
    "period": {"start": "2025-03-03T10:00:00+01:00"},
    "location": [{"location": {"reference": "Location/1"}, "status": "active"}],
}
MESSAGE = {
    "resourceType": "Communication",
    "text": text("Alerte transmise"),
    "status": "completed",
    "subject": {"reference": "Patient/1"},
    "sent": "2025-03-05T08:00:00Z",
    "recipient": [{"reference": "Practitioner/1"}],
    "sender": {"reference": "Device/1"},
    "payload": [{"contentString": "Voir la prescription."}, {"contentReference": {"reference": "DetectedIssue/1"}}],
}
AUDIT = {
    "resourceType": "AuditEvent",
    "text": text("Lecture"),
    "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
    "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": "read"}],
    "action": "R",
    "recorded": "2025-03-05T08:00:00.000Z",
    "outcome": "0",
    "agent": [{"who": {"identifier": {"value": "cds-client"}}, "requestor": True,
               "network": {"address": "192.0.2.1", "type": "2"}}],
    "source": {"observer": {"reference": "Device/passerelle"}},
    "entity": [{"what": {"reference": "DetectedIssue/1"}, "query": "aWRlbnRpZmllcj14"}],
}  # fmt: skip
PROVENANCE_OF_HUMAN = {
    "resourceType": "Provenance",
    "text": text("Validée par un pharmacien"),
    "target": [{"reference": "DetectedIssue/1"}],
    "occurredPeriod": {"start": "2025-03-05T08:00:00Z", "end": "2025-03-05T08:00:00Z"},
    "recorded": "2025-03-05T08:00:01.500+01:00",
    "agent": [
        {"type": coded("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "author"),
         "who": {"reference": "Device/1"}, "onBehalfOf": {"reference": "Organization/1"}},
        {"type": coded("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "verifier"),
         "who": {"reference": "Practitioner/1"}},
    ],
    "entity": [{"role": "source", "what": {"reference": "Observation/1"}}],
}  # fmt: skip
PROVENANCE_WITHOUT_TIME = {name: value for name, value in PROVENANCE_OF_HUMAN.items() if name != "recorded"} | {
    "_recorded": UNKNOWN
}
DEVICE_OF_MODEL = {
    "resourceType": "Device",
    "text": text("Modèle de revue de prescription 1.2.0"),
    "identifier": [{"system": "https://chu-demo.example/fhir/NamingSystem/model-version", "value": "review.1.2.0"}],
    "status": "inactive",
    "deviceName": [{"name": "revue de prescription", "type": "model-name"}],
    "version": [{"value": "1.2.0"}, {"type": {"text": "sha-256"}, "value": "5b" * 32}],
    "url": "https://chu-demo.example/modeles/review",
}
ORGANIZATION = {
    "resourceType": "Organization",
    "text": text("CHU de démonstration"),
    "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "990000001"}],
    "name": "CHU de démonstration",
    "telecom": [{"system": "phone", "value": "+33 1 99 00 00 00", "use": "work"}],
    "address": [{"use": "work", "line": ["1 rue de l'Exemple"], "city": "Ville", "country": "FR"}],
}
PRACTITIONER = {
    "resourceType": "Practitioner",
    "text": text("Dr Exemple"),
    "name": [{"family": "Exemple", "prefix": ["Dr"]}],
    "qualification": [{"code": {"text": "pharmacien"}, "period": {"start": "2010"}}],
}
BINARY = {"resourceType": "Binary", "contentType": "text/plain", "data": base64.b64encode(DATA).decode()}

CLINICAL = {
    "RiskAssessment on a Group, one prediction a day": RISK,
    "RiskAssessment with a range in per cent": RISK_RANGE,
    "RiskAssessment with the share of a variable": RISK_EXPLAINED,
    "RiskAssessment between two ages": RISK_BY_AGE,
    "RiskAssessment that says the event is rare": RISK_RARE,
    "RiskAssessment withdrawn, without its predictions": RISK_WITHDRAWN,
    "DocumentReference with its hash": DOCUMENT,
    "DocumentReference of a scan, with context": DOCUMENT_OF_SCAN,
    "DocumentReference that a physician validated": DOCUMENT_VALIDATED,
    "DocumentReference by a contained Device": DOCUMENT_BY_CONTAINED,
    "DocumentReference withdrawn": DOCUMENT_WITHDRAWN,
    "DetectedIssue over a period, of a version of an order": ISSUE_PLAIN,
    "DetectedIssue after a pharmacist acted": ISSUE_MITIGATED,
    "a contained Device that is used": CONTAINED,
    "a choice that is absent for a reason": TIME_ABSENT,
    "Group described": GROUP,
    "Group with a member": GROUP_ACTUAL,
    "Patient with a partial birth date and a given name unknown": PATIENT,
    "MedicationRequest with timing": ORDER,
    "MedicationRequest of a contained Medication whose type has no table": ORDER_CONTAINED,
    "Observation of a laboratory": LAB,
    "Observation with components": PRESSURE,
    "Observation without a value": LAB_ABSENT,
    "Encounter": ENCOUNTER,
    "Communication": MESSAGE,
    "AuditEvent": AUDIT,
    "Provenance with a verifier": PROVENANCE_OF_HUMAN,
    "a required instant that is absent for a reason": PROVENANCE_WITHOUT_TIME,
    "Device of a model version": DEVICE_OF_MODEL,
    "Organization": ORGANIZATION,
    "Practitioner": PRACTITIONER,
    "Binary": BINARY,
}
