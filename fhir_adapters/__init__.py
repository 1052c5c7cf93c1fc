"""Predictions to FHIR R4, and their delivery."""
