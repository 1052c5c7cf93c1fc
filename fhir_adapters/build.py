"""``build``: a prediction becomes its FHIR resources."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_adapters.detected_issue import detected_issue
from fhir_adapters.device import device
from fhir_adapters.exact_json import sha256
from fhir_adapters.french import utc
from fhir_adapters.provenance import provenance
from fhir_adapters.site import Site
from models.contract import Prediction
from passerelle.errors import FhirError

Json = dict[str, Any]

BUILDERS = {"prescription_review": detected_issue}
DEFAULT_SITE = Site()


@dataclass(frozen=True, slots=True)
class Built:
    """The resources of one prediction, with stand-ins, and what tells this content from the next."""

    subject: Json  # the resource for the clinician: a DetectedIssue
    device: Json
    provenance: Json
    content_sha256: str

    @property
    def resources(self) -> list[Json]:
        """In the order in which a target without transactions must receive them."""
        return [self.device, self.subject, self.provenance]


def build(prediction: Prediction, site: Site = DEFAULT_SITE) -> list[Json]:
    """The FHIR resources of a prediction: Device, DetectedIssue, Provenance, with stand-ins for identities.

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

    The hash covers what a clinician or a program reads in the resource and the model version, not the Provenance:
    a prediction that is computed again with the same result is the same content.

    Args:
        recorded: when it is recorded; the index time when not given, so that examples never change.
        revision: counts the contents that this prediction has had, from 1.
    Raises:
        FhirError: no builder for this model.
    """
    builder = BUILDERS.get(prediction.model)
    if builder is None:
        raise FhirError(
            f"no FHIR builder for the model {prediction.model}",
            looked=f"fhir_adapters/build.py: {', '.join(BUILDERS)}",
            do="add a builder for the model, or send only the predictions of models that have one",
        )
    subject, made_by = builder(prediction, site), device(prediction, site)
    content = sha256([subject, made_by])
    subject["identifier"].append({"use": "secondary", "system": site.content_system, "value": content})
    about = provenance(
        prediction, subject, site, content_sha256=content, recorded=utc(recorded or prediction.index_time),
        revision=revision,
    )  # fmt: skip
    return Built(subject, made_by, about, content)
