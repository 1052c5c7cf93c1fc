"""``build``: a prediction becomes its FHIR resources."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_adapters.detected_issue import detected_issue
from fhir_adapters.device import device
from fhir_adapters.document_reference import document_reference
from fhir_adapters.exact_json import sha256
from fhir_adapters.fingerprint import with_fingerprint
from fhir_adapters.french import utc
from fhir_adapters.group import group
from fhir_adapters.provenance import provenance
from fhir_adapters.risk_assessment import risk_assessment
from fhir_adapters.site import Site
from models.contract import Prediction
from passerelle.errors import FhirError

Json = dict[str, Any]

BUILDERS: dict[str, Callable[[Prediction, Site], Json]] = {
    "prescription_review": detected_issue,
    "respiratory_peaks": risk_assessment,
    "sepsis_steroids": risk_assessment,
    "oncology_timeline": document_reference,
    "handwriting": document_reference,
}
DEFAULT_SITE = Site()


@dataclass(frozen=True, slots=True)
class Built:
    """The resources of one content of a prediction, with stand-ins, and what tells this content from the next."""

    resource: Json  # for the clinician: a DetectedIssue, a RiskAssessment or a DocumentReference
    supports: tuple[Json, ...]  # what it refers to and a target must have first: the Device, and a Group
    provenance: Json
    content_sha256: str

    @property
    def device(self) -> Json:
        """The Device of the model version."""
        return self.supports[0]

    @property
    def resources(self) -> list[Json]:
        """In the order in which a target without transactions must receive them."""
        return [*self.supports, self.resource, self.provenance]


def build(prediction: Prediction, site: Site = DEFAULT_SITE) -> list[Json]:
    """The FHIR resources of a prediction, with stand-ins for identities: what it refers to, itself, its Provenance.

    Example: ``build(prediction)[1]["resourceType"]`` is ``"DetectedIssue"`` for a ``prescription_review``.
    """
    return build_all(prediction, site).resources


def build_all(
    prediction: Prediction,
    site: Site = DEFAULT_SITE,
    *,
    recorded: datetime | None = None,
    revision: int = 1,
) -> Built:
    """The same, with the hash of the content.

    The hash covers what a clinician or a program reads in the resource, where the id of the Device stands for the
    model version, and not the Provenance: a prediction that is computed again with the same result is the same content.

    Args:
        recorded: when it is recorded; the index time when not given, so that examples never change.
        revision: counts the contents that this prediction has had, from 1.
    Raises:
        FhirError: no builder for this model, or a prediction that lacks what its resource needs.
    """
    builder = BUILDERS.get(prediction.model)
    if builder is None:
        raise FhirError(
            f"no FHIR builder for the model {prediction.model}",
            looked=f"fhir_adapters/build.py: {', '.join(BUILDERS)}",
            do="add a builder for the model, or send only the predictions of models that have one",
        )
    resource, made_by = builder(prediction, site), device(prediction, site)
    supports = (made_by,) if prediction.cohort is None else (made_by, group(prediction.cohort, site))
    content = sha256(resource)
    with_fingerprint(resource, content, site)
    about = provenance(
        prediction, resource, site, content_sha256=content, recorded=utc(recorded or prediction.index_time),
        revision=revision,
    )  # fmt: skip
    return Built(resource, supports, about, content)
