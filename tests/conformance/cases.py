"""What is judged: each case is a resource, where it comes from, and whether it must pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_adapters import examples, profiles
from fhir_adapters.exact_json import loads
from tests.fhir_adapters.fhir_cases import BROKEN, changed
from tests.fhir_adapters.fhir_valid import CLINICAL
from tests.fhir_adapters.fhir_valid_guide import GUIDES

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One resource to judge; the sets are examples, profiles, valid, broken and delivered."""

    set: str
    name: str
    resource: Json

    @property
    def must_pass(self) -> bool:
        return self.set != "broken"


def cases(delivered: Path | None, only: list[str]) -> list[Case]:
    """Every case, or those with one of the words of ``only`` in their name or set."""
    found = [*_files("examples", examples), *_files("profiles", profiles), *_corpus()]
    if delivered is not None:
        found += _delivered(delivered)
    return [case for case in found if not only or any(word in f"{case.set}/{case.name}" for word in only)]


def _files(name: str, package: Any) -> Iterator[Case]:
    for path in sorted(Path(package.__file__).parent.glob("*.json")):
        yield Case(name, path.name, loads(path.read_bytes()))


def _corpus() -> Iterator[Case]:
    for name, resource in (CLINICAL | GUIDES).items():
        yield Case("valid", name, resource)
    for name, (resource, path, value, _) in BROKEN.items():
        yield Case("broken", name, changed(resource, path, value))


def _delivered(folder: Path) -> Iterator[Case]:
    """Files of one resource or one Bundle (``.json``), and of one a line (``.ndjson``)."""
    for path in sorted([*folder.rglob("*.json"), *folder.rglob("*.ndjson")]):
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            yield Case("delivered", name, loads(path.read_bytes()))
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if line.strip():
                yield Case("delivered", f"{name}:{number}", loads(line))
