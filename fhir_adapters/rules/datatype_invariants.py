"""The invariants of datatypes, wherever the walk meets them."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime

from fhir_adapters.rules.narrative import narrative
from fhir_adapters.rules.own_extensions import own_extension
from fhir_adapters.rules.primitives import is_absolute
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.rule import UCUM, Json, Rule, Rules, distinct, must, needs, not_both, objects, one_of
from fhir_adapters.rules.table import codes_of_system

_DAY = len("2025-01-01")
_MEALS = {"C", "CM", "CD", "CV"}
_NO_VALUE = {"id", "_id", "url", "_url", "extension"}


def _path_or_search_parameter(key: str) -> Rule:
    return must(key, "either a path or a searchParam", lambda value: ("path" in value) != ("searchParam" in value))


def _attachment(value: Json) -> Iterator[Problem]:
    if "data" not in value:
        return
    if "contentType" not in value:
        yield Problem("", "att-1", "data without contentType")
    data = base64.b64decode(value["data"])
    if value.get("size", len(data)) != len(data):
        yield Problem(".size", "attachment-size", "size is not the number of bytes of data")
    if "hash" in value and value["hash"] != base64.b64encode(_sha1(data)).decode():
        yield Problem(".hash", "attachment-hash", "hash is not the SHA-1 of data, in base64")


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _value_or_extensions(value: Json) -> bool:
    return bool(value.keys() - _NO_VALUE) != ("extension" in value)


def _in_order(period: Json) -> bool:
    """False as well when nobody can tell: the same day, and only one of both ends has a time."""
    start, end = period.get("start"), period.get("end")
    if start is None or end is None:
        return True
    if min(len(start), len(end)) > _DAY:
        return _time(start) <= _time(end)
    shared = min(len(start), len(end), _DAY)
    return start[:shared] < end[:shared] or (start[:shared] == end[:shared] and len(start) == len(end))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(":60", ":59"))  # a leap second


def _low_below_high(bounds: Json) -> bool:
    """False as well when one has no value; of two units it cannot tell, as it does not convert."""
    low, high = bounds.get("low"), bounds.get("high")
    if low is None or high is None or low.get("code") != high.get("code"):
        return True
    return "value" in low and "value" in high and low["value"] <= high["value"]


def _whole_ratio(value: Json) -> bool:
    if ("numerator" in value) != ("denominator" in value):
        return False
    return "numerator" in value or "extension" in value


def _offset_from_an_event(repeat: Json) -> bool:
    when = repeat.get("when", ())
    return "offset" not in repeat or (len(when) > 0 and _MEALS.isdisjoint(when))


def _absolute_system(value: Json) -> bool:
    return "system" not in value or is_absolute(value["system"])


def _word_of_ucum(quantity: Json) -> bool:
    """The sign for micro is u: µ is for people, and comes from the unit."""
    code = quantity.get("code", "")
    return quantity.get("system") != UCUM or (code.isascii() and " " not in code)


def _each_label_once(meta: Json) -> bool:
    return distinct((label.get("system"), label.get("code")) for label in objects(meta, "security"))


def _known_code(coding: Json) -> bool:
    known = codes_of_system(coding.get("system", ""))
    return known is None or "code" not in coding or coding["code"] in known


_TIMING_PARTS: tuple[Rule, ...] = (
    needs("tim-1", "a duration needs its unit", "duration", "durationUnit"),
    needs("tim-2", "a period needs its unit", "period", "periodUnit"),
    must("tim-4", "a duration is not negative", lambda value: value.get("duration", 0) >= 0),
    must("tim-5", "a period is not negative", lambda value: value.get("period", 0) >= 0),
    needs("tim-6", "periodMax needs a period", "periodMax", "period"),
    needs("tim-7", "durationMax needs a duration", "durationMax", "duration"),
    needs("tim-8", "countMax needs a count", "countMax", "count"),
    must("tim-9", "an offset is from an event, which is no meal in general", _offset_from_an_event),
    not_both("tim-10", "either timeOfDay or when", "timeOfDay", "when"),
)
_ABSOLUTE = must("system-absolute", "a system is an absolute address or a URN", _absolute_system)
_QUANTITY: tuple[Rule, ...] = (
    needs("qty-3", "a unit code needs its system", "code", "system"),
    _ABSOLUTE,
    must("ucum", "a code of UCUM is one word of ASCII", _word_of_ucum),
)


def _measured(key: str) -> tuple[Rule, ...]:
    """What R4 asks of a quantity of one kind only, such as an age."""
    return (
        *_QUANTITY,
        needs(key, "a value needs the code of its unit", "value", "code"),
        must(key, "the system of the unit is UCUM", lambda value: value.get("system", UCUM) == UCUM),
    )


def _unit_of_time(duration: Json) -> bool:
    return "code" not in duration or ("value" in duration and duration.get("system") == UCUM)


DATATYPES: Rules = {
    "Attachment": (_attachment,),
    # A warning: these systems grow, and a newer code is no error of the sender.
    "Coding": (must("code-unknown", "the system had no such code when R4 came", _known_code, severity="warning"),),
    "ContactPoint": (needs("cpt-2", "a value needs its system (phone, email…)", "value", "system"),),
    "Extension": (must("ext-1", "an extension has either a value or extensions", _value_or_extensions), own_extension),
    "Identifier": (_ABSOLUTE,),
    "Meta": (must("meta-labels", "each security label comes once", _each_label_once),),
    "Narrative": (narrative,),
    "Period": (must("per-1", "a period does not end before it starts", _in_order),),
    "Range": (must("rng-2", "low is not above high", _low_below_high),),
    "Ratio": (must("rat-1", "a ratio has a numerator and a denominator", _whole_ratio),),
    "Timing.repeat": _TIMING_PARTS,
    "Quantity": _QUANTITY,
    "Age": (*_measured("age-1"), must("age-1", "an age is above 0", lambda value: value.get("value", 1) > 0)),
    "Count": (
        *_measured("cnt-3"),
        must("cnt-3", "the unit of a count is 1", lambda value: value.get("code", "1") == "1"),
        must("cnt-3", "a count is a whole number", lambda value: "." not in str(value.get("value", 1))),
    ),
    "Distance": _measured("dis-1"),
    "Duration": (*_QUANTITY, must("drt-1", "a unit of time is one of UCUM, and has a value", _unit_of_time)),
    "Expression": (one_of("exp-1", "an expression or a reference", "expression", "reference"),),
    "DataRequirement.codeFilter": (_path_or_search_parameter("drq-1"),),
    "DataRequirement.dateFilter": (_path_or_search_parameter("drq-2"),),
}
