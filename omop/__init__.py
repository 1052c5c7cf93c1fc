"""OMOP CDM 5.4: declaration, vocabulary, views and their contract, quality rules, publication."""
