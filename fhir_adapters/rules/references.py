"""Whether a reference points at a type that the element allows."""

import re
from collections.abc import Iterator
from typing import Any

from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.table import resource_types

_LITERAL = re.compile(r"(?:^|/)([A-Z]\w+)/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?$")


def literal_type(reference: str) -> str | None:
    """The resource type that a literal reference names: ``Patient/12`` and ``https://x/Patient/12`` → Patient."""
    match = _LITERAL.search(reference)
    return match[1] if match else None


def target_problem(reference: dict[str, Any], targets: frozenset[str], path: str) -> Iterator[Problem]:
    """Problems of one Reference: its declared type, its literal type, and nothing at all in it."""
    if not {"reference", "identifier", "display", "extension", "_reference"} & reference.keys():
        yield Problem(path, "reference-empty", "a reference needs a reference, an identifier or a display")
    literal = reference.get("reference")
    named = literal_type(literal) if isinstance(literal, str) else None
    declared = reference.get("type")
    for kind in dict.fromkeys(k for k in (named, declared) if isinstance(k, str)):
        if kind not in resource_types():
            yield Problem(path, "reference-target", f"{kind} is no resource type of R4")
        elif targets and kind not in targets:
            yield Problem(path, "reference-target", f"{kind} is not allowed here, only {', '.join(sorted(targets))}")
    if named and isinstance(declared, str) and named != declared:
        yield Problem(path, "reference-type", f"type says {declared}, the reference says {named}")
