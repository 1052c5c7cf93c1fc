"""The types of resources that the sandbox takes, and how each is searched."""

TOKENS = {"identifier": ("identifier", "masterIdentifier"), "_security": ("meta.security",)}
REFERENCES = {
    "patient": ("patient", "subject", "target"),
    "subject": ("subject",),
    "encounter": ("encounter", "context.encounter"),
    "author": ("author",),
    "performer": ("performer",),
    "implicated": ("implicated",),
    "relatesto": ("relatesTo.target",),
    "managing-entity": ("managingEntity",),
    "target": ("target",),
    "agent": ("agent.who",),
    "entity": ("entity.what",),
}
DATES = {
    "_lastUpdated": ("meta.lastUpdated",),
    "recorded": ("recorded",),
    "identified": ("identifiedDateTime", "identifiedPeriod"),
}
OF_EVERY_TYPE = ("_id", "_lastUpdated", "_security")

_IDENTIFIED = ("identifier",)
_OF_A_PATIENT = ("identifier", "patient", "subject", "encounter")
TYPES: dict[str, tuple[str, ...]] = {
    "AllergyIntolerance": ("identifier", "patient"),
    "Binary": (),
    "Communication": _OF_A_PATIENT,
    "Condition": _OF_A_PATIENT,
    "DetectedIssue": ("identifier", "patient", "author", "implicated", "identified"),
    "Device": ("identifier", "patient"),
    "DiagnosticReport": _OF_A_PATIENT,
    "DocumentReference": (*_OF_A_PATIENT, "author", "relatesto"),
    "Encounter": ("identifier", "patient", "subject"),
    "Flag": (*_OF_A_PATIENT, "author"),
    "Group": (*_IDENTIFIED, "managing-entity"),
    "ImagingStudy": _OF_A_PATIENT,
    "Location": _IDENTIFIED,
    "Medication": _IDENTIFIED,
    "MedicationAdministration": ("identifier", "patient", "subject"),
    "MedicationRequest": _OF_A_PATIENT,
    "Observation": _OF_A_PATIENT,
    "Organization": _IDENTIFIED,
    "Patient": _IDENTIFIED,
    "Practitioner": _IDENTIFIED,
    "PractitionerRole": _IDENTIFIED,
    "Procedure": _OF_A_PATIENT,
    "Provenance": ("patient", "target", "agent", "entity", "recorded"),
    "RiskAssessment": (*_OF_A_PATIENT, "performer"),
    "Specimen": ("identifier", "patient", "subject"),
}


def kind_of(parameter: str) -> str:
    """R4's type of a search parameter."""
    if parameter in TOKENS or parameter == "_id":
        return "token"
    return "date" if parameter in DATES else "reference"
