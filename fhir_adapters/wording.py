"""The sentences about a prediction that every resource and card shows alike."""

from collections.abc import Iterable

from fhir_adapters.findings import FINDINGS, OTHER, WITHOUT_CODE
from fhir_adapters.french import clean, local, number
from fhir_adapters.site import Site
from models.contract import Contribution, Evidence, Prediction

SHOWN_CONTRIBUTIONS = 5
DRUG_TABLE = "drug_exposure"
NOT_SEEN = "Non encore vue par un professionnel ; ne remplace pas un avis clinique."


def title(category: str) -> str:
    """What a finding is called on a French screen."""
    return FINDINGS.get(category) or WITHOUT_CODE.get(category, OTHER)


def strongest(contributions: Iterable[Contribution]) -> list[Contribution]:
    """The few contributions that weigh most, in either direction."""
    return sorted(contributions, key=lambda c: -abs(c.contribution))[:SHOWN_CONTRIBUTIONS]


def reason(contribution: Contribution) -> str:
    """``créatinine à 245 µmol/L : augmente le risque``, or ``créatinine (245) : …`` where the model has no words."""
    direction = "augmente" if contribution.contribution > 0 else "diminue"
    return f"{clean(contribution.said) or _named(contribution)} : {direction} le risque"


def _named(contribution: Contribution) -> str:
    value = contribution.value
    shown = number(f"{value:.4g}") if isinstance(value, float) else clean(str(value or ""))
    named = clean(contribution.label) or clean(contribution.feature)
    return f"{named}{f' ({shown})' if shown else ''}"


def with_reasons(sentence: str, contributions: Iterable[Contribution]) -> str:
    """The sentence, and what weighs most in the score."""
    reasons = " ; ".join(reason(c) for c in strongest(contributions))
    return f"{sentence} Ce qui pèse le plus dans le score : {reasons}." if reasons else sentence


def evidence_labels(prediction: Prediction) -> list[str]:
    """The rows that it rests on, as a clinician reads them; those without a label are left out."""
    return [label for row in dict.fromkeys(prediction.evidence) if (label := clean(row.label))]


def about_order(prediction: Prediction) -> Evidence | None:
    """The order that the prediction is about, with its label; None when it is about no order."""
    table, _, row = prediction.occasion.partition(":")
    if table != DRUG_TABLE or not row.removeprefix("-").isdigit():
        return None
    known = {e.row_id: e for e in prediction.evidence if e.table == DRUG_TABLE}
    return known.get(int(row), Evidence(DRUG_TABLE, int(row)))


def origin(prediction: Prediction, site: Site) -> str:
    """Which model, with what it knew when, and until when it holds."""
    until = f", valable jusqu'au {local(prediction.valid_until, site.timezone)}" if prediction.valid_until else ""
    return (
        f"Aide à la décision produite par le modèle {prediction.model}, version {prediction.model_version}, "
        f"avec les données connues le {local(prediction.index_time, site.timezone)}{until}."
    )
