"""Dose, unit, intakes a day and route of an order, from its dosage instructions."""

from typing import Any

from fhir_adapters.service.record.codes import DAYS, PER_DAY, ROUTES
from fhir_adapters.service.record.shapes import Json, codings, named, number, objects, part, text


def dosage(order: Json, medication: Json | None) -> Json:
    """``dose_value``, ``dose_unit``, ``doses_per_day`` and ``route_source``; None where the order does not say.

    Several instructions (1 g in the morning, 500 mg in the evening) give the intakes of a day together and their mean
    dose, so that the dose of a day is right.
    """
    intakes = [_intake(instruction, medication) for instruction in objects(order, "dosageInstruction")]
    given = [intake for intake in intakes if intake[0] is not None]
    units = {unit for _, unit, _ in given}
    known = bool(given) and len(units) == 1
    total = _sum([per_day for *_, per_day in intakes])
    return {
        "dose_value": _mean(given) if known else None,
        "dose_unit": units.pop() if known else None,
        "doses_per_day": total,
        "route_source": _route(part(order, "dosageInstruction", "route")),
    }


def _intake(instruction: Json, medication: Json | None) -> tuple[float | None, str | None, float | None]:
    quantity = part(instruction, "doseAndRate", "doseQuantity") or part(instruction, "doseAndRate", "doseRange", "high")
    value, unit = number(part(quantity, "value")), text(part(quantity, "unit")) or text(part(quantity, "code"))
    if value is not None and unit is not None:
        value, unit = _in_substance(value, unit, medication)
    return value, unit, per_day(part(instruction, "timing"))


def _in_substance(value: float, unit: str, medication: Json | None) -> tuple[float, str]:
    """Two tablets of 500 mg are 1,000 mg, where the drug has one substance and says how much a tablet holds of it."""
    ingredients = objects(medication, "ingredient")
    strength = part(ingredients[0], "strength") if len(ingredients) == 1 else None
    amount, per = number(part(strength, "numerator", "value")), number(part(strength, "denominator", "value"))
    of = text(part(strength, "numerator", "unit")) or text(part(strength, "numerator", "code"))
    names = {text(part(strength, "denominator", name)) for name in ("unit", "code")} - {None}
    if amount is None or not per or of is None or unit.lower() not in {str(name).lower() for name in names}:
        return value, unit
    return value * amount / per, of


def per_day(timing: Any) -> float | None:
    """Intakes a day of a Timing.

    Example:
        >>> per_day({"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}})
        3.0
    """
    repeat = part(timing, "repeat")
    times = len(_list(repeat, "timeOfDay")) or len(_list(repeat, "when"))
    frequency = number(part(repeat, "frequencyMax")) or number(part(repeat, "frequency")) or float(times)
    days, unit = _list(repeat, "dayOfWeek"), DAYS.get(str(part(repeat, "periodUnit")))
    if days:
        return max(frequency, 1.0) * len(days) / 7
    period = number(part(repeat, "period")) or 1.0
    if frequency and unit:
        return frequency / (period * unit)
    if times:
        return float(times)
    return next((PER_DAY[code] for _, code in codings(part(timing, "code")) if code in PER_DAY), None)


def _route(concept: Any) -> str | None:
    known = (ROUTES[code] for _, code in codings(concept) if code in ROUTES)
    written = (code for _, code in codings(concept))
    return next(known, None) or named(concept) or next(written, None)


def _mean(given: list[tuple[float | None, str | None, float | None]]) -> float:
    """The dose of an intake: of several, as often as each is taken."""
    weights = [often or 1.0 for *_, often in given]
    return sum((dose or 0.0) * often for (dose, *_), often in zip(given, weights, strict=True)) / sum(weights)


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _list(node: Any, name: str) -> list[Any]:
    found = node.get(name) if isinstance(node, dict) else None
    return found if isinstance(found, list) else []
