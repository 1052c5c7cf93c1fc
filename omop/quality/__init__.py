"""Quality of a CDM: the checks of the OHDSI Data Quality Dashboard, coverage and conformance. No engine in here."""
