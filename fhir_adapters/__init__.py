"""Predictions to FHIR R4, and their delivery.

build.py                   a prediction → Device, DetectedIssue, Provenance (one builder a resource beside it)
placeholder.py             stand-ins for the patient and for OMOP rows, until delivery
rules/                     our R4 rules: tables as data, invariants by hand; ``check(resource)``
r4b.py                     the one importer of ``fhir.resources``
outbox/                    predictions and what is to be sent, in one transaction; leases, states, dead letters
delivery/                  the client: knows a base URL; one write at most for each content, whatever happens
reidentifier.py            the way back to a patient, as delivery needs it
sandbox/                   a small R4 server on loopback, for demonstrations and tests
profiles/, examples/       our definitions, and resources as they are sent
"""
