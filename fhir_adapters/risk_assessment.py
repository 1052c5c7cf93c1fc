"""RiskAssessment: how probable an outcome is, for one patient or, as a forecast by periods, for a Group."""

from decimal import Decimal
from typing import Any

from fhir_adapters.cases import CASES
from fhir_adapters.device import device_reference
from fhir_adapters.extensions import UCUM, feature_contribution, forecast_count, prediction_probability
from fhir_adapters.french import clean, instant, local, narrative, number, significant
from fhir_adapters.group import group_reference
from fhir_adapters.marking import meta
from fhir_adapters.placeholder import person_reference, row_reference, visit_reference
from fhir_adapters.probability import Probability
from fhir_adapters.provenance import view_release
from fhir_adapters.site import CANONICAL, Site
from fhir_adapters.wording import NOT_SEEN, evidence_labels, origin, reason, strongest, with_reasons
from models.contract import Evidence, Forecast, Prediction

Json = dict[str, Any]

RISK_PROBABILITY = "http://terminology.hl7.org/CodeSystem/risk-probability"
METHODS = f"{CANONICAL}/CodeSystem/prediction-model"
# Codes of risk-probability by the percentage from which HL7's definitions fit; a site's own tiers are not these.
LIKELIHOODS = ((50, "high"), (10, "moderate"), (1, "low"), (0, "negligible"))


def risk_assessment(prediction: Prediction, site: Site) -> Json:
    """The RiskAssessment of one prediction, with stand-ins for the patient and for the rows it rests on.

    About a patient it is preliminary: no human has seen it. A forecast of admissions was approved to run alone: final.
    """
    case = CASES[prediction.model]
    resource: Json = {
        "resourceType": "RiskAssessment",
        "id": prediction.prediction_id,
        "meta": meta("RiskAssessment"),
        "language": "fr-FR",
        "text": _narrative(prediction, site),
        "identifier": [{"system": site.prediction_system, "value": prediction.prediction_id}],
        "status": "preliminary" if prediction.cohort is None else "final",
        "method": _method(prediction),
        "code": {"text": case.title},
        "subject": _subject(prediction),
    }
    if prediction.visit_occurrence_id is not None:
        resource["encounter"] = visit_reference(prediction.visit_occurrence_id)
    resource |= {"occurrenceDateTime": instant(prediction.index_time)}
    conditions, others = _sorted(prediction)
    if conditions:
        resource["condition"] = row_reference(conditions[0], site)
    resource["performer"] = device_reference(prediction)
    basis = _basis(prediction, others, site)
    return resource | ({"basis": basis} if basis else {}) | {"prediction": _predictions(prediction)}


def _subject(prediction: Prediction) -> Json:
    if prediction.cohort is not None:
        return group_reference(prediction.cohort)
    assert prediction.person_id is not None  # the contract: a person or a cohort
    return person_reference(prediction.person_id)


def _method(prediction: Prediction) -> Json:
    coding = {"system": METHODS, "version": prediction.model_version, "code": prediction.model}
    return {"coding": [coding], "text": f"{prediction.model} {prediction.model_version}"}


def _sorted(prediction: Prediction) -> tuple[list[Evidence], list[Evidence]]:
    """The conditions that are assessed, and the other rows; each once."""
    rows = list(dict.fromkeys(prediction.evidence))
    conditions = [row for row in rows if row.table == "condition_occurrence"]
    return conditions, [row for row in rows if row not in conditions[:1]]


def _basis(prediction: Prediction, rows: list[Evidence], site: Site) -> list[Json]:
    """The rows, and for a cohort, of which no row speaks alone, the release of the views."""
    found = [row_reference(row, site) for row in rows]
    return found if prediction.cohort is None else [*found, view_release(prediction, site)]


def _predictions(prediction: Prediction) -> list[Json]:
    contributions = [feature_contribution(c) for c in prediction.contributions]
    if not prediction.forecasts:
        return [_of_person(prediction, contributions)]
    likeliest = max(prediction.forecasts, key=lambda f: f.probability)  # what the contributions explain
    return [_of_period(prediction, f, contributions if f is likeliest else []) for f in prediction.forecasts]


def _of_person(prediction: Prediction, contributions: list[Json]) -> Json:
    probability, extensions = Probability.of_fraction(prediction.probability), contributions
    if prediction.interval is not None:  # R4 has no room for both: the estimate itself goes into an extension
        extensions = [prediction_probability(probability), *contributions]
    found: Json = {"extension": extensions} if extensions else {}
    found["outcome"] = {"text": CASES[prediction.model].outcome}
    if prediction.interval is None:
        found["probabilityDecimal"] = probability.probability_decimal(really_below_one_percent=True)
    else:
        bounds = (Probability.of_fraction(b).percent() for b in (prediction.interval.low, prediction.interval.high))
        found["probabilityRange"] = dict(zip(("low", "high"), map(_percent, bounds), strict=True))
    found["qualitativeRisk"] = _likelihood(probability)
    if prediction.valid_until is not None:
        found["whenPeriod"] = {"start": instant(prediction.valid_from), "end": instant(prediction.valid_until)}
    return found | {"rationale": with_reasons(clean(prediction.message), prediction.contributions)}


def _of_period(prediction: Prediction, forecast: Forecast, contributions: list[Json]) -> Json:
    probability = Probability.of_fraction(forecast.probability)
    found: Json = {
        "extension": [forecast_count(forecast), *contributions],
        "outcome": {"text": CASES[prediction.model].outcome},
        "probabilityDecimal": probability.probability_decimal(really_below_one_percent=True),
        "qualitativeRisk": _likelihood(probability),
    }
    if forecast.usual:
        found["relativeRisk"] = significant(forecast.expected / forecast.usual, 3)
    found["whenPeriod"] = {"start": instant(forecast.valid_from), "end": instant(forecast.valid_until)}
    return found | {"rationale": _counts(forecast)}


def _percent(value: Decimal) -> Json:
    return {"value": value, "unit": "%", "system": UCUM, "code": "%"}


def _likelihood(probability: Probability) -> Json:
    """HL7's word for it; ``negligible`` and ``low`` also state that a small number is meant as it stands."""
    code = next(code for percent, code in LIKELIHOODS if probability.percent() >= percent)
    return {"coding": [{"system": RISK_PROBABILITY, "code": code}]}


def _counts(forecast: Forecast) -> str:
    low, high = (number(f"{bound:.0f}") for bound in (forecast.interval.low, forecast.interval.high))
    usual = "" if forecast.usual is None else f" ; habituellement {number(f'{forecast.usual:.1f}')}"
    return (
        f"{number(f'{forecast.expected:.1f}')} admissions attendues, entre {low} et {high} "
        f"(intervalle à {forecast.interval.coverage:.0%}) ; seuil {number(f'{forecast.threshold:.0f}')}{usual}."
    ).replace("%", " %")


def _narrative(prediction: Prediction, site: Site) -> Json:
    case = CASES[prediction.model]
    said = f"{case.title} : {clean(prediction.message)}"
    if prediction.cohort is not None:
        points = [_of_day(forecast, site) for forecast in prediction.forecasts]
        return narrative([said, clean(prediction.cohort.label), origin(prediction, site)], points)
    points = [reason(c) for c in strongest(prediction.contributions)] + evidence_labels(prediction)
    how_sure = f"{case.outcome}, probabilité estimée : {_shown(prediction)}."
    return narrative([said, how_sure, f"{origin(prediction, site)} {NOT_SEEN}"], points)


def _shown(prediction: Prediction) -> str:
    percent = number(Probability.of_fraction(prediction.probability).percent())
    if prediction.interval is None:
        return f"{percent} %"
    bounds = (Probability.of_fraction(b).percent() for b in (prediction.interval.low, prediction.interval.high))
    low, high = map(number, bounds)
    return f"{percent} % (entre {low} % et {high} %)"


def _of_day(forecast: Forecast, site: Site) -> str:
    day = local(forecast.valid_from, site.timezone).partition(" ")[0]
    percent = number(Probability.of_fraction(forecast.probability).percent())
    return f"{day} : probabilité d'un pic {percent} % ; {_counts(forecast)}"
