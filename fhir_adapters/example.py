"""The examples of ``examples/``: invented patients, resources as they are built and as they are sent.

    python -m fhir_adapters.example

A test compares the files with what this module gives.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fhir_adapters.build import build
from fhir_adapters.bundle import transaction
from fhir_adapters.exact_json import dumps, loads
from fhir_adapters.placeholder import placeholder_of, placeholders
from models.contract import Contribution, Evidence, Prediction

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "examples"
TARGET = "https://dpi.chu-demo.example/fhir"

RENAL_DOSE = Prediction(
    model="prescription_review",
    model_version="1.0.0",
    person_id=1001,
    occasion="drug_exposure:5001",
    index_time=datetime(2025, 3, 5, 7, 30, tzinfo=UTC),
    valid_from=datetime(2025, 3, 5, 7, 30, tzinfo=UTC),
    valid_until=datetime(2025, 3, 8, 7, 30, tzinfo=UTC),
    category="DOSECOND",
    probability=0.853,
    severity="high",
    message="Dabigatran 150 mg deux fois par jour alors que la clairance de la créatinine est de 26 mL/min.",
    view_contract="v1",
    snapshot_id="2025-03-05T03",
    model_sha256="5b" * 32,
    visit_occurrence_id=3001,
    contributions=(
        Contribution("creatinine_clearance_ml_min", "clairance de la créatinine (mL/min)", 26.0, 1.9),
        Contribution("age_years", "âge (ans)", 82.0, 0.4),
        Contribution("route", "voie d'administration", "orale", -0.05),
    ),
    evidence=(
        Evidence("drug_exposure", 5001, "dabigatran 150 mg, 2 par jour, depuis le 05/03/2025"),
        Evidence("measurement", 7001, "créatinine 165 µmol/L du 03/03/2025"),
    ),
)
INTERACTION = replace(
    RENAL_DOSE,
    person_id=1002,
    occasion="drug_exposure:5002",
    category="DRG",
    probability=0.62,
    severity="moderate",
    message="Tramadol et sertraline : risque de syndrome sérotoninergique.",
    contributions=(Contribution("interaction_level", "niveau d'interaction", "à prendre en compte", 1.1),),
    evidence=(
        Evidence("drug_exposure", 5002, "tramadol 50 mg"),
        Evidence("drug_exposure", 5003, "sertraline 50 mg"),
    ),
)


def examples() -> dict[str, Json]:
    """Every example by file name."""
    device, renal, about = build(RENAL_DOSE)
    return {
        "Device-prescription-review.json": device,
        "DetectedIssue-renal-dose-in-the-outbox.json": renal,
        "Provenance-renal-dose-in-the-outbox.json": about,
        "DetectedIssue-interaction-in-the-outbox.json": build(INTERACTION)[1],
        "Bundle-renal-dose-as-sent.json": transaction(TARGET, [device, _as_sent(renal), _as_sent(about)]),
    }


def _as_sent(resource: Json) -> Json:
    """With the references of an invented hospital in the place of the stand-ins."""
    sent = loads(dumps(resource))
    for reference in list(placeholders(sent)):
        found = placeholder_of(reference)
        if found is not None:
            reference["reference"] = f"{reference['type']}/exemple-{found[1]}"
    return sent


def main() -> None:
    """Write the files."""
    for name, resource in examples().items():
        (FOLDER / name).write_text(indented(resource), "utf-8")


def indented(resource: Any, depth: int = 0) -> str:
    """JSON for people, with decimals as they were written."""
    pad, inner = "  " * depth, "  " * (depth + 1)
    if isinstance(resource, dict) and resource:
        lines = [f"{inner}{dumps(name)}: {indented(value, depth + 1).lstrip()}" for name, value in resource.items()]
        text = "{\n" + ",\n".join(lines) + f"\n{pad}}}"
    elif isinstance(resource, list) and resource:
        text = "[\n" + ",\n".join(inner + indented(item, depth + 1).lstrip() for item in resource) + f"\n{pad}]"
    else:
        text = dumps(resource)
    return pad + text if depth else text + "\n"


if __name__ == "__main__":
    main()
