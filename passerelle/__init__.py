"""Passerelle: hospital records to OMOP, clinical models on standard views, results back as FHIR."""

__version__ = "0.1.0"
