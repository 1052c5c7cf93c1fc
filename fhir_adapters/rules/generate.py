"""Writes ``tables/`` from a folder of official R4 definitions. A developer's tool: nothing imports it at run time.

    python -m fhir_adapters.rules.generate DEFINITIONS

DEFINITIONS holds the 4.0.1 files of HL7 (public domain, CC0): StructureDefinitions one a file in ``entries/``,
and ``valuesets.json``, ``v2-tables.json``, ``v3-codesystems.json`` as Bundles. ``table.py`` has the notation of the
tables.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parent / "tables"
# What we write, what a guide is made of, and what a hospital sends (the resources that become rows of OMOP).
RESOURCES = (
    "AuditEvent", "Binary", "Bundle", "Communication", "DetectedIssue", "Device", "DocumentReference", "Flag",
    "Group", "Observation", "OperationOutcome", "Provenance", "RiskAssessment", "CapabilityStatement", "CodeSystem",
    "ImplementationGuide", "NamingSystem", "SearchParameter", "StructureDefinition", "ValueSet", "AllergyIntolerance",
    "Composition", "Condition", "DiagnosticReport", "Encounter", "ImagingStudy", "Immunization", "Location",
    "Medication", "MedicationAdministration", "MedicationRequest", "MedicationStatement", "Organization", "Patient",
    "Practitioner", "PractitionerRole", "Procedure", "RelatedPerson", "Specimen",
)  # fmt: skip
# Sets that our resources never use.
UNUSED_SETS = {"all-types", "currencies", "ucum-units", "defined-types"}
# Sets that no list can hold: their codes are judged by their syntax.
OPEN_SETS = {"mimetypes", "languages"}
LISTED_BY_PREFERENCE = ("detectedissue-category", "detectedissue-mitigation-action")
# Systems whose codes are known; of another system, any code is believed.
FILES = ("valuesets", "v2-tables", "v3-codesystems")
HL7 = "http://terminology.hl7.org/CodeSystem"
SYSTEMS = (
    "v2-0203", "v3-ActCode", "v3-ActReason", "v3-Confidentiality", "v3-DataOperation", "v3-ObservationValue",
    "allergyintolerance-clinical", "allergyintolerance-verification", "audit-event-type", "condition-category",
    "condition-clinical", "condition-ver-status", "data-absent-reason", "diagnosis-role", "observation-category",
    "provenance-participant-type", "risk-probability",
)  # fmt: skip
OF_R4_ITSELF = ("restful-interaction",)
NEWER_THAN_R4 = {f"{HL7}/v3-ObservationValue": {"AIAST"}}

Json = dict[str, Any]


def main(folder: Path) -> None:
    """Generate every table and report what was written."""
    definitions = {d["id"]: d for d in map(_read, sorted((folder / "entries").glob("*.json")))}
    sets = _ValueSets(folder)
    datatypes: dict[str, dict[str, str]] = {}
    waiting = [(name, True) for name in RESOURCES] + [("Element", False)]
    seen: set[str] = set()
    while waiting:
        name, is_resource = waiting.pop()
        if name in seen or name not in definitions or definitions[name]["kind"] == "primitive-type":
            continue
        seen.add(name)
        table, used = _table(definitions[name], sets)
        waiting += [(other, False) for other in used]
        if is_resource:
            _write(name, table)
        else:
            datatypes.update(table)
    _write("datatypes", dict(sorted(datatypes.items())))
    for name in LISTED_BY_PREFERENCE:
        sets.codes(name)
    _write("codes", dict(sorted(sets.found.items())))
    urls = [f"{HL7}/{name}" for name in SYSTEMS] + [f"http://hl7.org/fhir/{name}" for name in OF_R4_ITSELF]
    _write("systems", {url: sets.system(url) for url in urls})
    types = [n for n, d in definitions.items() if d["kind"] == "resource" and not d.get("abstract")]
    _write("types", {"resources": sorted(types)})


def _table(definition: Json, sets: "_ValueSets") -> tuple[dict[str, dict[str, str]], set[str]]:
    """The tables of one type and its backbones, and the datatypes they use."""
    tables: dict[str, dict[str, str]] = {}
    used: set[str] = set()
    for element in definition["snapshot"]["element"][1:]:
        parent, _, name = element["path"].rpartition(".")
        types = [_type_name(t) for t in element.get("type", ())]
        if types in (["BackboneElement"], ["Element"]):
            kind = "@" + element["path"]
        elif "contentReference" in element:
            kind = "@" + element["contentReference"].removeprefix("#")
        else:
            kind = ",".join(_with_targets(t, n) for t, n in zip(element["type"], types, strict=True))
            used.update(types)
        binding = _binding(element, sets)
        entry = f"{element['min']}..{element['max']} {kind}" + (f" ={binding}" if binding else "")
        tables.setdefault(parent, {})[name] = entry
    return tables, used


def _type_name(declared: Json) -> str:
    """The type of ``id`` and of extension urls is written as one of FHIRPath; an extension of it names the real one."""
    code = declared["code"]
    return declared["extension"][0]["valueUrl"] if code.startswith("http://hl7.org/fhirpath/") else code


def _with_targets(declared: Json, name: str) -> str:
    targets = [profile.rsplit("/", 1)[1] for profile in declared.get("targetProfile", ())]
    return name if not targets or "Resource" in targets else f"{name}({'|'.join(targets)})"


def _binding(element: Json, sets: "_ValueSets") -> str | None:
    binding = element.get("binding", {})
    name = binding.get("valueSet", "").split("|")[0].rsplit("/", 1)[-1]
    if name in OPEN_SETS and element["type"][0]["code"] == "code":
        return name  # the languages are only preferred, but any other must be one of BCP 47
    required = binding.get("strength") == "required" and name not in UNUSED_SETS
    return name if required and sets.codes(name) else None


class _ValueSets:
    """Codes of the value sets that the tables mention."""

    def __init__(self, folder: Path) -> None:
        entries = [e["resource"] for f in FILES for e in _read(folder / f"{f}.json")["entry"]]
        self._sets = {r["id"]: r for r in entries if r["resourceType"] == "ValueSet"}
        self._systems = {r["url"]: r for r in entries if r["resourceType"] == "CodeSystem"}
        self.found: dict[str, list[str]] = {}

    def codes(self, name: str) -> list[str]:
        """Every code of a set, or nothing when it cannot be listed."""
        if name not in self.found and name in self._sets:
            codes = [c for part in self._sets[name]["compose"]["include"] for c in self._part(part)]
            if codes:
                self.found[name] = list(dict.fromkeys(codes))
        return self.found.get(name, [])

    def system(self, url: str) -> list[str]:
        """Every code of a code system."""
        edges = _edges(self._systems[url]["concept"], None)
        return sorted({code for code, _ in edges} | NEWER_THAN_R4.get(url, set()))

    def _part(self, part: Json) -> list[str]:
        if "concept" in part:
            return [concept["code"] for concept in part["concept"]]
        edges = list(_edges(self._systems.get(part.get("system", ""), {}).get("concept", ()), None))
        roots = [f["value"] for f in part.get("filter", ()) if f["op"] == "is-a"]
        if part.get("filter") and not roots:
            return []
        return [code for code, _ in edges] if not roots else _below(edges, roots)


def _edges(concepts: Any, parent: str | None) -> Iterator[tuple[str, set[str]]]:
    """(code, its parents). R4 keeps a part of the hierarchy in ``child`` and ``subsumedBy`` properties only."""
    for concept in concepts:
        parents = {parent} if parent else set()
        parents |= {p["valueCode"] for p in concept.get("property", ()) if p["code"] in ("subsumedBy", "parent")}
        yield concept["code"], parents
        for prop in concept.get("property", ()):
            if prop["code"] == "child":
                yield prop["valueCode"], {concept["code"]}
        yield from _edges(concept.get("concept", ()), concept["code"])


def _below(edges: list[tuple[str, set[str]]], roots: list[str]) -> list[str]:
    found, size = set(roots), 0
    while len(found) != size:
        size = len(found)
        found |= {code for code, parents in edges if parents & found}
    return sorted(found)


def _read(path: Path) -> Json:
    return json.loads(path.read_text("utf-8"))


def _write(name: str, content: Any) -> None:
    path = TABLES / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stderr.write(f"{path.name}: {len(content)} tables\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
