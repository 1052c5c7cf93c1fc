"""The hospitals small enough to read, as good copies: for the sample that every run of the tests takes."""

import json
from collections.abc import Callable
from pathlib import Path

from tests import fhir_hospital
from tests.hospital import write_feed, write_source
from tests.hostile.mutated_copies import Copy
from tests.hostile.small_copies import write_bytes

OTHER = fhir_hospital.PATIENT | {"id": "p2", "birthDate": "1960-07-30", "name": [{"family": "Abernathy"}]}
LETTER = fhir_hospital.NOTE | {"id": "n2", "subject": {"reference": "Patient/p2"}, "description": "Rien à signaler."}
FILES = {"patients": [fhir_hospital.PATIENT, OTHER], "letters": [fhir_hospital.NOTE, LETTER]}


def _tables(folder: Path) -> Copy:
    return Copy("tiny", write_feed(folder / "good"), str(write_source(folder / "tiny")))


def _lines(folder: Path) -> Copy:
    for name, resources in FILES.items():
        lines = "".join(f"{json.dumps(resource)}\n" for resource in resources)
        write_bytes(folder / "good" / f"{name}.ndjson.gz", lines.encode())
    return Copy("tiny_lines", folder / "good", _declared(folder))


def _bundles(folder: Path) -> Copy:
    for name, resources in FILES.items():
        entries = [{"resource": resource} for resource in resources]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        write_bytes(folder / "good" / f"{name}.json.gz", json.dumps(bundle).encode())
    return Copy("tiny_bundles", folder / "good", _declared(folder))


def _declared(folder: Path) -> str:
    return str(write_source(folder / "tiny_fhir", fhir_hospital.MAPPINGS, fhir_hospital.SOURCE))


TINY: dict[str, Callable[[Path], Copy]] = {"tiny": _tables, "tiny_lines": _lines, "tiny_bundles": _bundles}
