"""The types of resources that are served, and by what each may be searched. No logic here."""

ALL = ("_id", "_lastUpdated")
COMMON = (*ALL, "identifier", "status", "patient")

SEARCHES = {
    "DetectedIssue": (*COMMON, "author"),
    "RiskAssessment": (*COMMON, "subject", "encounter", "performer"),
    "DocumentReference": (*COMMON, "subject", "encounter", "author"),
    "Provenance": (*ALL, "patient", "target", "agent"),
    "Device": (*ALL, "identifier"),
    "Group": (*ALL, "identifier"),
}
RESULTS = ("DetectedIssue", "RiskAssessment", "DocumentReference")  # what a model said
SUPPORTS = ("Device", "Group")  # what results refer to

KIND_OF = {
    "_id": "token", "_lastUpdated": "date", "identifier": "token", "status": "token", "patient": "reference",
    "subject": "reference", "encounter": "reference", "author": "reference", "performer": "reference",
    "target": "reference", "agent": "reference",
}  # fmt: skip
SCHEMA_OF = {
    "token": {"type": "string", "pattern": r"^[A-Za-z0-9:/._\-|]+$"},
    "reference": {"type": "string", "pattern": r"^[A-Za-z0-9/.\-]+$"},
    "date": {"type": "string", "pattern": r"^(eq|gt|ge|lt|le|sa|eb)?20[0-9]{2}(-0[1-9](-[12][0-8])?)?$"},
    "_count": {"type": "integer", "minimum": 0, "maximum": 200},
    "_sort": {"type": "string", "enum": ["_lastUpdated", "-_lastUpdated"]},
    "_summary": {"type": "string", "enum": ["count", "false"]},
}
"""JSON schemas of the parameters, for OpenAPI: examples of what is taken; R4 takes more dates and identifiers."""

OF_PATIENT = ("patient", "subject")
OF_DEVICE = ("author", "performer", "agent")
# How the answer is shaped; everything else that is not known is refused, because ignoring it would show too much.
SHAPING = ("_count", "_sort", "_summary", "_total", "_format", "_pretty")
STATUS_TEXT = "Not a search parameter of R4 for every type here: the element status."
PATIENT_TEXT = (
    "Patient/<id> as the record system calls it; or patient:identifier=system|value. In a POST _search the identifier "
    "stays out of every URL."
)
"""Documentation in the CapabilityStatement."""
