"""The examples of ``examples/``: resources as they are built and as they are sent, about invented patients.

    python -m fhir_adapters.example

A test compares the files with what this module gives.
"""

from pathlib import Path
from typing import Any

from fhir_adapters.build import build, build_all
from fhir_adapters.bundle import transaction
from fhir_adapters.exact_json import dumps, indented, loads
from fhir_adapters.example_predictions import (
    HANDWRITING,
    INTERACTION,
    ONCOLOGY_TIMELINE,
    RENAL_DOSE,
    RESPIRATORY_PEAKS,
    SEPSIS_STEROIDS,
)
from fhir_adapters.fallback import converted
from fhir_adapters.placeholder import placeholder_of, placeholders
from fhir_adapters.retraction import retracted

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "examples"
TARGET = "https://dpi.chu-demo.example/fhir"
CASES = {
    "renal-dose": RENAL_DOSE,
    "interaction": INTERACTION,
    "respiratory-peaks": RESPIRATORY_PEAKS,
    "sepsis-steroids": SEPSIS_STEROIDS,
    "oncology-timeline": ONCOLOGY_TIMELINE,
    "handwriting": HANDWRITING,
}
WHY = "Version du modèle retirée : les unités d'un automate avaient changé."


def examples() -> dict[str, Json]:
    """Every example by file name."""
    found: dict[str, Json] = {}
    for case, prediction in CASES.items():
        built = build_all(prediction)
        for resource in built.supports:
            found[f"{resource['resourceType']}-{prediction.model.replace('_', '-')}.json"] = resource
        kind = built.resource["resourceType"]
        found[f"{kind}-{case}-in-the-outbox.json"] = built.resource
        found[f"{kind}-{case}-withdrawn.json"] = retracted(built.resource, WHY)
        found[f"Bundle-{case}-as-sent.json"] = as_sent(build(prediction))
    found["Provenance-renal-dose-in-the-outbox.json"] = build(RENAL_DOSE)[-1]
    for prediction, to in ((SEPSIS_STEROIDS, "DocumentReference"), (RESPIRATORY_PEAKS, "Observation")):
        name = f"{to}-{prediction.model.replace('_', '-')}-for-a-lesser-target.json"
        found[name] = converted(_with_references(build_all(prediction).resource), to)
    return found


def as_sent(resources: list[Json]) -> Json:
    """The transaction of one prediction, with the references of an invented hospital in the place of the stand-ins."""
    return transaction(TARGET, [_with_references(resource) for resource in resources])


def _with_references(resource: Json) -> Json:
    sent: Json = loads(dumps(resource))
    for reference in list(placeholders(sent)):
        found = placeholder_of(reference)
        if found is not None:
            reference["reference"] = f"{reference.get('type', 'Basic')}/exemple-{found[1]}"
    return sent


def main() -> None:
    """Write the files."""
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, resource in examples().items():
        (FOLDER / name).write_text(indented(resource), "utf-8")


if __name__ == "__main__":
    main()
