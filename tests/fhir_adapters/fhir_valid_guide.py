"""Valid Bundles, answers and definitions for the tests of the rules."""

from tests.fhir_adapters.fhir_valid import DEVICE_OF_MODEL, ISSUE_PLAIN, PATIENT, PROVENANCE_OF_HUMAN, RISK, text

CANONICAL = "https://chu-demo.example/fhir"
BASE = "https://dpi.chu-demo.example/fhir"
DEVICE_URN = "urn:uuid:4f1c9b3e-2a60-4c0e-9a51-6b1d2f3e4a5b"
ISSUE_URN = "urn:uuid:9d2f7a10-0b3c-4e55-8f66-1c2d3e4f5a6b"

OUTCOME = {
    "resourceType": "OperationOutcome",
    "text": text("Refusé"),
    "issue": [{"severity": "error", "code": "invalid", "expression": ["DetectedIssue.status"]}],
}
CAPABILITY = {
    "resourceType": "CapabilityStatement",
    "text": text("Serveur d'essai"),
    "status": "active",
    "date": "2025-01-01",
    "kind": "instance",
    "implementation": {"description": "essai"},
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [
        {
            "mode": "server",
            "resource": [
                {"type": "Device", "interaction": [{"code": "read"}], "conditionalUpdate": True,
                 "searchParam": [{"name": "identifier", "type": "token"}]},
                {"type": "DetectedIssue", "interaction": [{"code": "update"}]},
            ],
        }
    ],
}  # fmt: skip
CAPABILITY_OF_SOFTWARE = CAPABILITY | {"kind": "capability", "software": {"name": "Passerelle"}}
del CAPABILITY_OF_SOFTWARE["implementation"]


def asked(resource, method, url, full_url, **more):
    return {"fullUrl": full_url, "resource": resource, "request": {"method": method, "url": url} | more}


CREATION = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        asked(DEVICE_OF_MODEL, "POST", "Device", DEVICE_URN, ifNoneExist="identifier=a%7Cb"),
        asked(ISSUE_PLAIN | {"author": {"reference": DEVICE_URN}}, "POST", "DetectedIssue", ISSUE_URN),
        asked(PROVENANCE_OF_HUMAN | {"id": "p1", "target": [{"reference": ISSUE_URN}]},
              "PUT", "Provenance/p1", f"{BASE}/Provenance/p1"),
    ],
}  # fmt: skip
BATCH = {
    "resourceType": "Bundle",
    "type": "batch",
    "entry": [
        {"request": {"method": "GET", "url": "Patient/1"}},
        {"request": {"method": "DELETE", "url": "DetectedIssue/1"}},
        asked(RISK | {"id": "r"}, "PUT", "RiskAssessment/r", f"{BASE}/RiskAssessment/r", ifMatch='W/"3"'),
    ],
}
ANSWER = {
    "resourceType": "Bundle",
    "type": "transaction-response",
    "entry": [
        {"response": {"status": "201 Created", "location": "Device/1/_history/1", "etag": 'W/"1"'}},
        {"response": {"status": "200", "lastModified": "2025-03-05T08:00:00Z", "outcome": OUTCOME}},
    ],
}
BATCH_ANSWER = ANSWER | {"type": "batch-response"}
SEARCHSET = {
    "resourceType": "Bundle",
    "type": "searchset",
    "total": 1,
    "link": [{"relation": "self", "url": f"{BASE}/Patient?identifier=x"}],
    "entry": [{"fullUrl": f"{BASE}/Patient/1", "resource": PATIENT | {"id": "1"}, "search": {"mode": "match"}}],
}
NOTHING_FOUND = {"resourceType": "Bundle", "type": "searchset", "total": 0}
HISTORY = {
    "resourceType": "Bundle",
    "type": "history",
    "total": 2,
    "entry": [
        {
            "fullUrl": f"{BASE}/Device/1",
            "resource": DEVICE_OF_MODEL | {"id": "1", "meta": {"versionId": version}},
            "request": {"method": "PUT", "url": "Device/1"},
            "response": {"status": "200"},
        }
        for version in ("2", "1")
    ],
}
COLLECTION = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"fullUrl": f"{BASE}/Device/1", "resource": DEVICE_OF_MODEL | {"id": "1"}}],
}
COMPOSITION = {
    "resourceType": "Composition",
    "id": "c",
    "text": text("Compte rendu"),
    "status": "final",
    "type": {"text": "compte rendu"},
    "date": "2025-03-05",
    "author": [{"reference": "Device/1"}],
    "title": "Compte rendu",
}
DOCUMENT_BUNDLE = {
    "resourceType": "Bundle",
    "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0b7d2f6e-3c4d-4e5f-8a9b-0c1d2e3f4a5b"},
    "type": "document",
    "timestamp": "2025-03-05T08:00:00Z",
    "entry": [
        {"fullUrl": f"{BASE}/Composition/c", "resource": COMPOSITION},
        {"fullUrl": f"{BASE}/Device/1", "resource": DEVICE_OF_MODEL | {"id": "1"}},
    ],
}

KINDS = {
    "resourceType": "CodeSystem",
    "text": text("Genres"),
    "url": f"{CANONICAL}/CodeSystem/kinds",
    "name": "Kinds",
    "status": "draft",
    "caseSensitive": True,
    "content": "complete",
    "concept": [{"code": "a", "concept": [{"code": "b", "display": "B"}]}, {"code": "c"}],
}
CHOSEN_KINDS = {
    "resourceType": "ValueSet",
    "text": text("Genres choisis"),
    "url": f"{CANONICAL}/ValueSet/kinds",
    "name": "ChosenKinds",
    "status": "draft",
    "compose": {"include": [{"system": "http://hl7.org/fhir/observation-status", "concept": [{"code": "final"}]}]},
    "expansion": {
        "timestamp": "2025-03-05",
        "contains": [{"system": "http://hl7.org/fhir/observation-status", "code": "final"}],
    },
}
NAMING = {
    "resourceType": "NamingSystem",
    "text": text("Identifiants"),
    "name": "PredictionId",
    "status": "active",
    "kind": "identifier",
    "date": "2025-01-01",
    "uniqueId": [
        {"type": "uri", "value": f"{CANONICAL}/NamingSystem/prediction-id", "preferred": True},
        {"type": "oid", "value": "1.2.250.1.999.7"},
    ],
}
SEARCH_PARAMETER = {
    "resourceType": "SearchParameter",
    "text": text("Recherche par modèle"),
    "url": f"{CANONICAL}/SearchParameter/model",
    "name": "ByModel",
    "status": "draft",
    "description": "Predictions of one model.",
    "code": "model",
    "base": ["RiskAssessment"],
    "type": "token",
    "expression": "RiskAssessment.method",
}
PROFILE = {
    "resourceType": "StructureDefinition",
    "text": text("Profil"),
    "url": f"{CANONICAL}/StructureDefinition/dated-risk",
    "name": "DatedRisk",
    "status": "draft",
    "fhirVersion": "4.0.1",
    "kind": "resource",
    "abstract": False,
    "type": "RiskAssessment",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/RiskAssessment",
    "derivation": "constraint",
    "differential": {
        "element": [
            {"id": "RiskAssessment", "path": "RiskAssessment"},
            {"id": "RiskAssessment.status", "path": "RiskAssessment.status", "patternCode": "final"},
            {"id": "RiskAssessment.prediction", "path": "RiskAssessment.prediction", "min": 1,
             "constraint": [{"key": "own-1", "severity": "error", "human": "A number",
                             "expression": "probability.exists()"}]},
            {"id": "RiskAssessment.prediction.when[x]", "path": "RiskAssessment.prediction.when[x]", "min": 1,
             "type": [{"code": "Period"}]},
        ]
    },
}  # fmt: skip
EXTENSION = {
    "resourceType": "StructureDefinition",
    "text": text("Extension"),
    "url": f"{CANONICAL}/StructureDefinition/ward",
    "name": "Ward",
    "status": "draft",
    "fhirVersion": "4.0.1",
    "kind": "complex-type",
    "abstract": False,
    "context": [{"type": "element", "expression": "RiskAssessment"}],
    "type": "Extension",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
    "derivation": "constraint",
    "differential": {
        "element": [
            {"id": "Extension", "path": "Extension", "max": "1"},
            {"id": "Extension.url", "path": "Extension.url", "fixedUri": f"{CANONICAL}/StructureDefinition/ward"},
            {"id": "Extension.value[x]", "path": "Extension.value[x]", "type": [{"code": "string"}]},
        ]
    },
}
GUIDE = {
    "resourceType": "ImplementationGuide",
    "text": text("Guide"),
    "url": f"{CANONICAL}/ImplementationGuide/demo",
    "name": "Demo",
    "status": "draft",
    "packageId": "demo.passerelle",
    "fhirVersion": ["4.0.1"],
    "definition": {
        "grouping": [{"id": "exemples", "name": "Exemples"}],
        "resource": [
            {"reference": {"reference": "Device/1"}, "exampleBoolean": True, "groupingId": "exemples"},
            {"reference": {"reference": "StructureDefinition/ward"}, "fhirVersion": ["4.0.1"]},
        ],
    },
}

GUIDES = {
    "OperationOutcome": OUTCOME,
    "CapabilityStatement of a server": CAPABILITY,
    "CapabilityStatement of a software": CAPABILITY_OF_SOFTWARE,
    "a transaction that creates, with references between its entries": CREATION,
    "a batch that reads, deletes and updates": BATCH,
    "the answer to a transaction": ANSWER,
    "the answer to a batch": BATCH_ANSWER,
    "a searchset": SEARCHSET,
    "a searchset of nothing": NOTHING_FOUND,
    "a history with two versions of one address": HISTORY,
    "a collection": COLLECTION,
    "a document": DOCUMENT_BUNDLE,
    "CodeSystem": KINDS,
    "ValueSet": CHOSEN_KINDS,
    "NamingSystem": NAMING,
    "SearchParameter": SEARCH_PARAMETER,
    "a profile": PROFILE,
    "an extension": EXTENSION,
    "ImplementationGuide": GUIDE,
}
