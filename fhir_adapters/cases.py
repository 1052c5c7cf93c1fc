"""What each clinical case is called on a screen, and its codes. Read by clinicians; no logic here.

French wording is ours. Codes of documents: LOINC, © Regenstrief Institute, used under its licence.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Case:
    """The words and codes of one model's results."""

    title: str  # of the assessment or document
    outcome: str = ""  # what a probability is about
    confidentiality: Literal["N", "R"] = "N"  # of a document: normal or restricted


CASES = {
    "respiratory_peaks": Case(
        title="Prévision des admissions pour BPCO ou asthme",
        outcome="Pic d'admissions (nombre au-dessus du seuil)",
    ),
    "sepsis_steroids": Case(
        title="Réponse attendue aux corticoïdes au cours du sepsis",
        outcome="Réponse favorable aux corticoïdes",
    ),
    "oncology_timeline": Case(title="Extraction automatique d'un compte rendu"),
    "handwriting": Case(title="Transcription automatique d'un manuscrit", confidentiality="R"),
}

# Kinds of documents that we write: LOINC code, its English display name.
DOCUMENT_TYPES = {
    "34133-9": "Summary of episode note",
    "64297-5": "Death certificate",
}

# What people and a receiving program find in the second content of a document.
SPAN_WORDS = "ce qui a été lu, avec position et confiance"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
