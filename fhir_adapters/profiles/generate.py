"""Writes the JSON files of this folder: ``python -m fhir_adapters.profiles.generate``. A test compares them."""

import json
from pathlib import Path
from typing import Any

from fhir_adapters.extensions import FEATURE_CONTRIBUTION, PREDICTION_PROBABILITY
from fhir_adapters.marking import OBSERVATION_VALUE
from fhir_adapters.site import CANONICAL, Site

Json = dict[str, Any]
FOLDER = Path(__file__).parent
DATE = "2026-01-01"
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"


def profiles() -> dict[str, Json]:
    """Every definition by file name."""
    found = [
        _feature_contribution(),
        _prediction_probability(),
        _contribution_scale(),
        _model_feature(),
        _ai_asserted(),
        *_naming_systems(),
    ]
    return {f"{resource['resourceType']}-{resource['id']}.json": resource for resource in found}


def _feature_contribution() -> Json:
    parts = [
        _part("feature", "1", "CodeableConcept", "The variable; text is its French label"),
        _part("value", "0", None, "What the variable was", ["decimal", "string"]),
        _part("contribution", "1", "decimal", "Signed share of the prediction, on the scale"),
        _part("scale", "1", "code", "log-odds or probability"),
        _part("method", "0", "string", "How the share was computed"),
        _part("baseline", "0", "decimal", "Prediction without any variable, on the scale"),
    ]
    elements: list[Json] = [{"id": "Extension", "path": "Extension", "min": 0, "max": "*"}]
    elements += [element for part in parts for element in part]
    elements += [_url(FEATURE_CONTRIBUTION), {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"}]
    contexts = ["DetectedIssue.evidence", "RiskAssessment.prediction"]
    what = "One variable's signed share of a model's prediction."
    return _structure("feature-contribution", "FeatureContribution", what, contexts, elements)


def _prediction_probability() -> Json:
    elements: list[Json] = [
        {"id": "Extension", "path": "Extension", "min": 0, "max": "1"},
        {"id": "Extension.extension", "path": "Extension.extension", "max": "0"},
        _url(PREDICTION_PROBABILITY),
        {"id": "Extension.value[x]", "path": "Extension.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
        {"id": "Extension.value[x].value", "path": "Extension.value[x].value", "min": 1,
         "minValueDecimal": 0, "maxValueDecimal": 100},
        {"id": "Extension.value[x].system", "path": "Extension.value[x].system", "min": 1,
         "fixedUri": "http://unitsofmeasure.org"},
        {"id": "Extension.value[x].code", "path": "Extension.value[x].code", "min": 1, "fixedCode": "%"},
    ]  # fmt: skip
    what = "A model's probability in per cent, for resources that have no element for it."
    return _structure("prediction-probability", "PredictionProbability", what, ["DetectedIssue"], elements)


def _structure(id_: str, name: str, what: str, contexts: list[str], elements: list[Json]) -> Json:
    return {
        "resourceType": "StructureDefinition",
        "id": id_,
        "url": f"{CANONICAL}/StructureDefinition/{id_}",
        "version": "1.0.0",
        "name": name,
        "status": "active",
        "date": DATE,
        "publisher": "Passerelle",
        "description": what,
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": context} for context in contexts],
        "type": "Extension",
        "baseDefinition": _EXTENSION,
        "derivation": "constraint",
        "differential": {"element": elements},
    }


def _part(name: str, minimum: str, kind: str | None, what: str, kinds: list[str] | None = None) -> list[Json]:
    at = f"Extension.extension:{name}"
    types = [{"code": code} for code in ([kind] if kind else kinds or [])]
    return [
        {"id": at, "path": "Extension.extension", "sliceName": name, "short": what, "min": int(minimum), "max": "1"},
        {"id": f"{at}.extension", "path": "Extension.extension.extension", "max": "0"},
        {"id": f"{at}.url", "path": "Extension.extension.url", "fixedUri": name},
        {"id": f"{at}.value[x]", "path": "Extension.extension.value[x]", "min": 1, "type": types},
    ]


def _url(url: str) -> Json:
    return {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}


def _contribution_scale() -> Json:
    concepts = [
        {"code": "log-odds", "display": "Log-odds", "definition": "Added to the logarithm of the odds."},
        {"code": "probability", "display": "Probability", "definition": "Added to the probability, as a fraction."},
    ]
    what = "Scales on which a feature contribution is given."
    return _code_system(f"{CANONICAL}/CodeSystem/contribution-scale", "ContributionScale", what, concepts, "complete")


def _model_feature() -> Json:
    what = "Names of the variables of models, as each model's card defines them."
    return _code_system(f"{CANONICAL}/CodeSystem/model-feature", "ModelFeature", what, [], "not-present")


def _ai_asserted() -> Json:
    """R4 bundles an older copy of this HL7 code system, which lacks the code: validators need this fragment first."""
    concepts = [{"code": "AIAST", "display": "Artificial Intelligence asserted"}]
    what = "Fragment of the HL7 code system v3-ObservationValue with the one code that R4's own copy lacks."
    return _code_system(OBSERVATION_VALUE, "ObservationValueFragment", what, concepts, "fragment")


def _code_system(url: str, name: str, what: str, concepts: list[Json], content: str) -> Json:
    resource: Json = {
        "resourceType": "CodeSystem", "id": url.rsplit("/", 1)[1], "url": url, "version": "1.0.0", "name": name,
        "status": "active", "date": DATE, "publisher": "Passerelle", "description": what, "caseSensitive": True,
        "content": content,
    }  # fmt: skip
    return resource | ({"concept": concepts} if concepts else {})


def _naming_systems() -> list[Json]:
    site = Site()
    systems = {
        site.prediction_system: "Identifier of a prediction: the same for every version of its model",
        site.content_system: "Fingerprint of one content of a prediction",
        site.model_version_system: "Version of a model, as name and version",
        site.view_release_system: "Release of the OMOP views that a model read",
        site.omop_row_system: "Row of the OMOP warehouse, as table and key",
    }
    return [_naming_system(url, what) for url, what in systems.items()]


def _naming_system(url: str, what: str) -> Json:
    id_ = url.rsplit("/", 1)[1]
    return {
        "resourceType": "NamingSystem", "id": id_, "name": "".join(p.title() for p in id_.split("-")),
        "status": "active", "kind": "identifier", "date": DATE, "description": what,
        "uniqueId": [{"type": "uri", "value": url, "preferred": True}],
    }  # fmt: skip


def main() -> None:
    """Write the files."""
    for name, resource in profiles().items():
        (FOLDER / name).write_text(json.dumps(resource, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
