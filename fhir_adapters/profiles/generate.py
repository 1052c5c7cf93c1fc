"""Writes the JSON files of this folder: ``python -m fhir_adapters.profiles.generate``. A test compares them."""

import json
from pathlib import Path
from typing import Any

from fhir_adapters.profiles.extension_definitions import extensions
from fhir_adapters.profiles.guide import guide
from fhir_adapters.profiles.resource_profiles import resource_profiles
from fhir_adapters.profiles.terminology import code_systems, naming_systems

Json = dict[str, Any]
FOLDER = Path(__file__).parent


def profiles() -> dict[str, Json]:
    """Every definition by file name."""
    found = [*extensions(), *resource_profiles(), *code_systems(), *naming_systems()]
    named = {f"{resource['resourceType']}-{resource['id']}.json": resource for resource in found}
    index = guide(found)
    return named | {f"ImplementationGuide-{index['id']}.json": index}


def main() -> None:
    """Write the files."""
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, resource in profiles().items():
        (FOLDER / name).write_text(json.dumps(resource, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
