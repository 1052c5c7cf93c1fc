"""What a person did about a result becomes a content of its own: it outlives the model's next score."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from fhir_adapters.device import organization
from fhir_adapters.exact_json import sha256
from fhir_adapters.fingerprint import with_fingerprint
from fhir_adapters.outbox import revisions
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.recall import device_reference
from fhir_adapters.outbox.revisions import Revision
from fhir_adapters.outbox.schema import outbox, prediction
from fhir_adapters.outbox.states import Kind
from fhir_adapters.people import judged
from fhir_adapters.provenance import provenance_of_people
from fhir_adapters.site import Site

Json = dict[str, Any]


def mitigate(connection: Connection, prediction_id: str, mitigation: Json, why: str, site: Site, now: datetime) -> bool:
    """Add a mitigation to a DetectedIssue and call it final; at every target that has had an item of it.

    Args:
        mitigation: an entry of ``DetectedIssue.mitigation``; its author, where it is known, is a Practitioner.
        why: French sentence for the Provenance.
    Returns: False when nothing is known of the prediction, when it is withdrawn, or when this was said before.
    """
    row = revisions.latest(connection, [prediction_id]).get(prediction_id)
    if row is None or row.kind == Kind.RETRACT:
        return False
    payload = connection.execute(select(prediction.c.payload).where(prediction.c.id == row.id)).scalar_one()
    content = Content.read(payload)
    if mitigation in content.resource.get("mitigation", []):
        return False
    resource = judged(content.resource, mitigation)
    fingerprint = sha256(resource)
    with_fingerprint(resource, fingerprint, site)
    agent = mitigation.get("author") or organization(site)
    about = provenance_of_people(
        prediction_id, resource, device_reference(content), site, agent=agent, operation="UPDATE",
        why=why, content_sha256=fingerprint, recorded=now, revision=row.revision + 1,
    )  # fmt: skip
    final = Revision(
        key=prediction_id, prediction_id=prediction_id, revision=row.revision + 1, kind=Kind.MITIGATE,
        model=row.model, model_version=row.model_version, model_device=row.model_device, person_id=row.person_id,
        visit_occurrence_id=row.visit_occurrence_id, said=None, content_sha256=row.content_sha256,
        content=Content(resource, content.supports, about), payload_sha256=fingerprint,
        not_after=None,  # what a person decided does not expire
    )  # fmt: skip
    targets = select(outbox.c.target).where(outbox.c.key == prediction_id).distinct()
    revisions.write(connection, [final], sorted(connection.execute(targets).scalars()), now)
    return True
