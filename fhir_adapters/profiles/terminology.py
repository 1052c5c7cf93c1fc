"""CodeSystems and NamingSystems: what our codes mean, and whose our identifiers are."""

from typing import Any

from fhir_adapters.build import BUILDERS
from fhir_adapters.cases import CASES
from fhir_adapters.cds_hooks.overrides import MITIGATIONS, OVERRIDE_REASONS, OVERRIDES
from fhir_adapters.document_reference import CATEGORIES, FORMATS
from fhir_adapters.marking import OBSERVATION_VALUE
from fhir_adapters.profiles.definitions import DATE, code_system, concept
from fhir_adapters.risk_assessment import METHODS
from fhir_adapters.site import CANONICAL, Site

Json = dict[str, Any]


def code_systems() -> list[Json]:
    """Every one."""
    ours = [_contribution_scale(), _model_feature(), _models(), _categories(), _formats(), _override_reasons()]
    return [*ours, _ai_asserted()]


def naming_systems() -> list[Json]:
    """One for each system of identifiers, in the name of the invented hospital of the demo."""
    site = Site()
    systems = {
        site.prediction_system: "Identifier of a prediction: the same for every version of its model",
        site.content_system: "Fingerprint of one content of a prediction",
        site.document_system: "Document that a model wrote: another one for each content",
        site.cohort_system: "People whom a forecast is about together",
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


def _contribution_scale() -> Json:
    concepts = [
        concept("log-odds", "Log-odds", "Added to the logarithm of the odds."),
        concept("probability", "Probability", "Added to the probability, as a fraction."),
    ]
    what = "Scales on which a feature contribution is given."
    return code_system(f"{CANONICAL}/CodeSystem/contribution-scale", "ContributionScale", what, concepts, "complete")


def _model_feature() -> Json:
    what = "Names of the variables of models, as each model's card defines them."
    return code_system(f"{CANONICAL}/CodeSystem/model-feature", "ModelFeature", what, [], "not-present")


def _models() -> Json:
    concepts = [
        concept(name, name, CASES[name].title if name in CASES else "Relecture des prescriptions") for name in BUILDERS
    ]
    return code_system(METHODS, "PredictionModel", "Models whose results are sent.", concepts, "complete")


def _categories() -> Json:
    concepts = [concept("ai-extraction", "AI extraction", "Written by a model from a note or a scan.")]
    return code_system(CATEGORIES, "DocumentCategory", "Categories of our documents.", concepts, "complete")


def _formats() -> Json:
    meaning = (
        "JSON object: source_sha256, and spans with start, end (characters), label, value, confidence (0 to 1), "
        "refused, and row where a row of OMOP is meant."
    )
    concepts = [concept("spans-1", "Spans of a text, version 1", meaning)]
    return code_system(FORMATS, "DocumentFormat", "Formats of the contents of our documents.", concepts, "complete")


def _override_reasons() -> Json:
    concepts = [concept(one.code, one.display, MITIGATIONS[one.mitigation]) for one in OVERRIDES]
    what = "Why a card was not followed; each reason stands for a mitigation of v3-ActCode."
    return code_system(OVERRIDE_REASONS, "OverrideReason", what, concepts, "complete")


def _ai_asserted() -> Json:
    """R4 bundles an older copy of this HL7 code system, which lacks the code: validators need this fragment first."""
    concepts = [{"code": "AIAST", "display": "Artificial Intelligence asserted"}]
    what = "Fragment of the HL7 code system v3-ObservationValue with the one code that R4's own copy lacks."
    return code_system(OBSERVATION_VALUE, "ObservationValueFragment", what, concepts, "fragment")
