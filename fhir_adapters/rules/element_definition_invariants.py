"""The invariants of ElementDefinition, of which StructureDefinitions are made."""

from fhir_adapters.rules.rule import Holds, Json, Rules, distinct, must, needs, objects, one_of

_BOUND = {"code", "Coding", "CodeableConcept", "Quantity", "string", "uri"}
_TYPED = {"type", "maxLength", "binding"}


def _has(value: Json, prefix: str) -> bool:
    """True for ``fixedCode`` and its like; a choice has a name of its own for each type."""
    return any(name.startswith(prefix) and name[len(prefix) :][:1].isupper() for name in value)


def _min_below_max(value: Json) -> bool:
    maximum = value.get("max", "*")
    return not maximum.isdecimal() or value.get("min", 0) <= int(maximum)


def _refers_only(value: Json) -> bool:
    if "contentReference" not in value:
        return True
    return not _TYPED & value.keys() and not any(_has(value, p) for p in ("fixed", "pattern", "defaultValue"))


def _bindable(value: Json) -> bool:
    kinds = {kind.get("code") for kind in objects(value, "type")}
    return "binding" not in value or not kinds or not _BOUND.isdisjoint(kinds)


def _of_one_type(prefix: str) -> Holds:
    return lambda value: len(value.get("type", ())) <= 1 or not _has(value, prefix)


def _for_references(name: str) -> Holds:
    return lambda value: name not in value or value.get("code") in ("Reference", "canonical")


ELEMENT_DEFINITIONS: Rules = {
    "ElementDefinition": (
        must("eld-2", "min is at most max", _min_below_max),
        must("eld-3", "max is a number or *", lambda v: v.get("max", "0") == "*" or v.get("max", "0").isdecimal()),
        must("eld-5", "a contentReference stands for type, values and binding", _refers_only),
        must("eld-6", "a fixed value is of one type", _of_one_type("fixed")),
        must("eld-7", "a pattern is of one type", _of_one_type("pattern")),
        must("eld-8", "either a pattern or a fixed value", lambda v: not (_has(v, "pattern") and _has(v, "fixed"))),
        must("eld-11", "only what is coded is bound", _bindable),
        must("eld-13", "each type comes once", lambda v: distinct(kind.get("code") for kind in objects(v, "type"))),
        must("eld-14", "each constraint has a key", lambda v: distinct(c.get("key") for c in objects(v, "constraint"))),
        must("eld-18", "a modifier says why", lambda v: v.get("isModifier") is not True or "isModifierReason" in v),
        needs("eld-22", "only a slice constrains a slice", "sliceIsConstraining", "sliceName"),
    ),
    "ElementDefinition.slicing": (one_of("eld-1", "a discriminator or a description", "discriminator", "description"),),
    "ElementDefinition.type": (
        must("eld-4", "only references are aggregated", _for_references("aggregation")),
        must("eld-17", "only references have target profiles", _for_references("targetProfile")),
    ),
    "ElementDefinition.binding": (
        must("eld-12", "the value set has an address or a URN",
             lambda value: value.get("valueSet", "urn:").startswith(("http:", "https:", "urn:"))),
    ),
}  # fmt: skip
