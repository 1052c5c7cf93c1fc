"""Identifiers and logical ids: the same prediction always has the same ones, and they say nothing.

Logical ids are version 5 UUIDs, so that ``PUT DetectedIssue/<id>`` may be repeated without making a second
resource; conditional updates made duplicates on two servers when writers ran in parallel.
"""

import uuid
from functools import lru_cache

from models.contract import PREDICTION_NAMESPACE

FINESS_SYSTEM = "urn:oid:1.2.250.1.71.4.2.2"
INS_NIR = "urn:oid:1.2.250.1.213.1.4.8"
INS_NIA = "urn:oid:1.2.250.1.213.1.4.9"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def resource_id(resource_type: str, *parts: str) -> str:
    """Version 5 UUID of a resource type and the facts that make the resource itself."""
    return str(uuid.uuid5(PREDICTION_NAMESPACE, "|".join((resource_type, *parts))))


def model_version(model: str, version: str) -> str:
    """``<model>.<version>``: no vertical bar, on which searches by identifier stumble."""
    return f"{model}.{version}".replace("|", "-")


@lru_cache(maxsize=64)
def device_id(model: str, version: str, sha256: str) -> str:
    """Logical id of the Device of a model version; the weights are part of it."""
    return resource_id("Device", model_version(model, version), sha256)


def provenance_id(prediction_id: str, content_sha256: str, revision: int) -> str:
    """One Provenance for each time a prediction got new content: R4 gives Provenance no identifier of its own."""
    return resource_id("Provenance", prediction_id, content_sha256, str(revision))
