"""The reasons that a card offers for not following it, and what each means for the DetectedIssue.

Read by a pharmacist; no logic here. The codes are ours: those of HL7 v3-ActReason speak of access to data, billing,
substitution and refusals, never of a warning that was read and set aside. Few, so that they are read. A record
system may also send a code of ``MITIGATIONS`` itself: v3-ActCode, value set detectedissue-mitigation-action, 1 to 13;
their wording is ours.
"""

from dataclasses import dataclass

from fhir_adapters.site import CANONICAL

OVERRIDE_REASONS = f"{CANONICAL}/CodeSystem/override-reason"


@dataclass(frozen=True, slots=True)
class Override:
    """One reason: its code, what a clinician reads, and the mitigation that it stands for."""

    code: str
    display: str
    mitigation: str


OVERRIDES = (
    Override("benefit-outweighs-risk", "Bénéfice attendu supérieur au risque", "1"),
    Override("patient-assessed", "Patient évalué, traitement bien toléré", "2"),
    Override("other-source", "Vérifié dans une autre source, traitement adapté", "4"),
    Override("prescriber-confirmed", "Confirmé par le prescripteur", "5"),
    Override("prescriber-declined", "Modification proposée, refusée par le prescripteur", "6"),
    Override("other-therapy-ended", "L'autre traitement est arrêté ou ne sera pas donné", "7"),
    Override("other-action", "Autre mesure prise", "8"),
    Override("monitoring", "Surveillance clinique ou biologique mise en place", "9"),
    Override("therapy-suspended", "Autre traitement suspendu", "12"),
)

MITIGATIONS = {
    "1": "Traitement jugé adapté",
    "2": "Patient évalué, traitement adapté",
    "3": "Explication donnée par le patient",
    "4": "Autre source consultée, traitement adapté",
    "5": "Prescripteur consulté, traitement confirmé",
    "6": "Prescripteur consulté, modification refusée",
    "7": "Traitement en cause arrêté ou non prévu",
    "8": "Autre mesure prise",
    "9": "Surveillance mise en place",
    "10": "Patient informé",
    "11": "Traitement correcteur ajouté",
    "12": "Traitement en cause suspendu",
    "13": "Traitement en cause arrêté",
}

# The one suggestion of our cards, to drop the draft order, was followed.
ORDER_DROPPED = "13"
# A card that was set aside without a reason: no code of the value set says so, and none may be guessed.
NO_REASON = "Alerte écartée sans motif"
OTHER_REASON = "Alerte écartée pour un motif propre à l'établissement"
