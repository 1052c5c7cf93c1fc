"""The older document that a new one takes the place of: read, and closed as superseded if it is still current."""

from typing import Any

from fhir_adapters.delivery.parcel import SUPERSEDED, Parcel
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.target import Reply, Target
from fhir_adapters.delivery.verify import refusal

Json = dict[str, Any]


def with_replaces(parcel: Parcel) -> Json:
    """The resource, saying which document it replaces."""
    if parcel.replaces is None:
        return parcel.resource
    older = {"reference": f"DocumentReference/{parcel.replaces}", "type": "DocumentReference"}
    related = [*parcel.resource.get("relatesTo", ()), {"code": "replaces", "target": older}]
    return parcel.resource | {"relatesTo": related}


def read_older(target: Target, id_: str) -> Reply | Result | None:
    """The older document as the target holds it; None when nothing is to be done about it."""
    reply = target.get(f"DocumentReference/{id_}")
    if reply.status in (404, 410):
        return None
    if reply.status != 200:
        return refusal(reply)
    return reply if reply.body.get("status") == "current" else None


def closed(older: Reply) -> Json:
    """The older document, superseded; everything else as it was."""
    meta = {name: value for name, value in older.meta.items() if name not in ("versionId", "lastUpdated")}
    return older.body | {"status": SUPERSEDED} | ({"meta": meta} if meta else {})
