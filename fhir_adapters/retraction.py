"""A result that is withdrawn: what a screen must still understand when it ignores the status."""

from typing import Any

from fhir_adapters.document_reference import attachment
from fhir_adapters.french import clean, narrative

Json = dict[str, Any]

RETRACTED = "entered-in-error"


def retracted(resource: Json, reason: str) -> Json:
    """The resource as withdrawn, for a reason in French.

    R4's RiskAssessment.status is no modifier: a client may show a withdrawn assessment as live. So what was claimed
    goes, whatever the type, and the narrative says that it was withdrawn. What people wrote (mitigation) stays.
    """
    said = f"RETIRÉE. {clean(reason)} Ne plus tenir compte de ce résultat."
    found = {name: value for name, value in resource.items() if name not in _CLAIMS}
    found |= {"text": narrative([said], []), "status": RETRACTED}
    if resource["resourceType"] == "DocumentReference":
        found |= {"docStatus": RETRACTED, "description": said}
        found["content"] = [{"attachment": attachment("text/plain", said, "Document retiré")}]
    elif resource["resourceType"] == "RiskAssessment":
        found["note"] = [{"authorString": "Passerelle", "text": said}]
    else:
        found["detail"] = said
    return found


# Members that carry what the model said: of a DetectedIssue, a RiskAssessment, a DocumentReference.
_CLAIMS = ("extension", "severity", "evidence", "detail", "prediction", "note", "content", "description")
