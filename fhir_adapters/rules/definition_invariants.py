"""The invariants of what a guide is made of: statements of capability, structures, terminology, the guide itself."""

from collections.abc import Iterator

from fhir_adapters.rules.primitives import is_absolute
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.rule import Json, Rules, distinct, must, needs, not_both, objects, one_of

Elements = list[Json]


def _implements(resource: Json) -> bool:
    """An instance is running somewhere; a capability is software; requirements are neither."""
    kind, there = resource.get("kind"), {"implementation", "software"} & resource.keys()
    if kind == "instance":
        return "implementation" in there
    return there == ({"software"} if kind == "capability" else set())


def _codes(concepts: list[Json]) -> Iterator[str]:
    for concept in concepts:
        yield concept.get("code", "")
        yield from _codes(objects(concept, "concept"))


def _known_groupings(definition: Json) -> bool:
    groupings = {grouping.get("id") for grouping in objects(definition, "grouping")}
    return all(r["groupingId"] in groupings for r in objects(definition, "resource") if "groupingId" in r)


def _known_versions(guide: Json) -> bool:
    listed = objects(guide.get("definition", {}), "resource")
    return all(set(resource.get("fhirVersion", ())) <= set(guide.get("fhirVersion", ())) for resource in listed)


def _structure(resource: Json) -> Iterator[Problem]:
    for view in ("snapshot", "differential"):
        elements = objects(resource.get(view, {}), "element")
        if elements:
            for problem in _view(resource, elements, is_snapshot=view == "snapshot"):
                yield problem.under(f".{view}")


def _view(resource: Json, elements: Elements, *, is_snapshot: bool) -> Iterator[Problem]:
    first, *others = elements
    path = first.get("path", "")
    root = path if is_snapshot else path.partition(".")[0]
    ids = [element.get("id") for element in elements]
    if None in ids or not distinct(ids):
        yield Problem("", "sdf-16" if is_snapshot else "sdf-17", "each element has an id of its own")
    if resource.get("kind") != "logical" and root != resource.get("type"):
        yield Problem("", "sdf-8" if is_snapshot else "sdf-8a", "paths begin with the type of the structure")
    if any(not element.get("path", "").startswith(f"{root}.") for element in others):
        yield Problem("", "sdf-8" if is_snapshot else "sdf-8a", "every path lies below the first")
    if "." not in path:
        yield from _root(first, is_logical=resource.get("kind") == "logical")
    if is_snapshot and any(not {"definition", "min", "max"} <= element.keys() for element in elements):
        yield Problem("", "sdf-3", "an element of a snapshot has a definition and cardinalities")
    if is_snapshot and any("base" not in element for element in elements):
        yield Problem("", "sdf-8b", "an element of a snapshot has a base")


def _root(element: Json, *, is_logical: bool) -> Iterator[Problem]:
    if "type" in element and not is_logical:
        yield Problem("", "sdf-15", "the first element has no type")
    if {"label", "code", "requirements"} & element.keys():
        yield Problem("", "sdf-9", "the first element has no label, code or requirements")
    if "slicing" in element:
        yield Problem("", "sdf-20", "the first element is not sliced")
    if "sliceName" in element:
        yield Problem("", "sdf-23", "the first element is no slice")


def _paths_differ(structure: Json) -> bool:
    elements = objects(structure.get("snapshot", {}), "element")
    return structure.get("derivation") == "constraint" or distinct(element.get("path") for element in elements)


def _based(structure: Json) -> bool:
    return structure.get("abstract") is True or "baseDefinition" in structure


def _says_where(structure: Json) -> bool:
    constrains = structure.get("derivation") != "specialization"
    return structure.get("type") != "Extension" or not constrains or "context" in structure


def _one_preferred_a_type(system: Json) -> bool:
    return distinct(one.get("type") for one in objects(system, "uniqueId") if one.get("preferred") is True)


def _root_without_uuid(system: Json) -> bool:
    return system.get("kind") != "root" or all(one.get("type") != "uuid" for one in objects(system, "uniqueId"))


_ADDRESS = must("url-absolute", "a definition has an absolute address", lambda v: is_absolute(v.get("url", "urn:")))
DEFINITIONS: Rules = {
    "CapabilityStatement": (
        _ADDRESS,
        one_of("cpb-1", "one of rest, messaging and document", "rest", "messaging", "document"),
        one_of("cpb-2", "one of description, software and implementation", "description", "software", "implementation"),
        must("cpb-14", "an instance is implemented, a capability is software, requirements are neither", _implements),
    ),
    "CapabilityStatement.rest": (
        must("cpb-9", "a type is described once", lambda v: distinct(r.get("type") for r in objects(v, "resource"))),
    ),
    "CapabilityStatement.rest.resource": (
        must("cpb-12", "a search comes once", lambda v: distinct(p.get("name") for p in objects(v, "searchParam"))),
    ),
    "CodeSystem": (_ADDRESS, must("csd-1", "each code comes once", lambda v: distinct(_codes(objects(v, "concept"))))),
    "ValueSet": (_ADDRESS,),
    "ValueSet.compose.include": (
        one_of("vsd-1", "a system or a value set", "system", "valueSet"),
        needs("vsd-2", "concepts need a system", "concept", "system"),
        needs("vsd-2", "filters need a system", "filter", "system"),
        not_both("vsd-3", "either concepts or filters", "concept", "filter"),
    ),
    "ValueSet.expansion.contains": (
        one_of("vsd-6", "a code or a display", "code", "display"),
        must("vsd-9", "only what is abstract has no code", lambda v: "code" in v or v.get("abstract") is True),
        needs("vsd-10", "a code needs its system", "code", "system"),
    ),
    "NamingSystem": (
        must("nsd-1", "a root has no uuid", _root_without_uuid),
        must("nsd-2", "one preferred identifier a type", _one_preferred_a_type),
    ),
    "SearchParameter": (
        _ADDRESS,
        needs("spd-1", "an xpath needs its usage", "xpath", "xpathUsage"),
        must("spd-2", "only references are chained", lambda v: "chain" not in v or v.get("type") == "reference"),
    ),
    "ImplementationGuide": (_ADDRESS, must("ig-2", "a FHIR version is one that the guide has", _known_versions)),
    "ImplementationGuide.definition": (must("ig-1", "a grouping is one that the guide has", _known_groupings),),
    "StructureDefinition": (
        _ADDRESS,
        must("sdf-1", "each path comes once, except in a constraint", _paths_differ),
        must("sdf-4", "only what is abstract has no base", _based),
        must("sdf-5", "an extension says where it is used", _says_where),
        one_of("sdf-6", "a differential or a snapshot", "snapshot", "differential"),
        must("sdf-18", "only extensions have invariants of context",
             lambda value: "contextInvariant" not in value or value.get("type") == "Extension"),
        _structure,
    ),
    "StructureDefinition.mapping": (one_of("sdf-2", "a name or a uri", "name", "uri"),),
}  # fmt: skip
