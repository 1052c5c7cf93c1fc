"""Whether a reference points at a type that the element allows."""

import re
from collections.abc import Iterator
from typing import Any

from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.table import resource_types

# Patient/12, https://x/Patient/12, Patient/12/_history/3, and Patient?identifier=… of a transaction
_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)(?:/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?$|\?)")


def literal_type(reference: str) -> str | None:
    """The resource type that a literal reference names: ``Patient/12`` and ``https://x/Patient/12`` → Patient."""
    match = _LITERAL.search(reference)
    return match[1] if match else None


def target_problems(reference: dict[str, Any], targets: frozenset[str]) -> Iterator[Problem]:
    """Problems of one Reference: its declared type, its literal type, and nothing at all in it."""
    literal = reference.get("reference")
    if literal is None and not {"identifier", "display", "extension", "_reference"} & reference.keys():
        yield Problem("", "reference-empty", "a reference needs a reference, an identifier or a display")
    if isinstance(literal, str) and literal.split() != [literal]:
        yield Problem(".reference", "reference-syntax", "an address has no blanks")
    named = literal_type(literal) if isinstance(literal, str) else None
    declared = reference.get("type")
    for kind in (named,) if named == declared else (named, declared):
        if isinstance(kind, str) and not (kind in targets if targets else kind in resource_types()):
            yield _refused(kind, targets)
    if named and isinstance(declared, str) and named != declared:
        yield Problem("", "reference-type", f"type says {declared}, the reference says {named}")


def _refused(kind: str, targets: frozenset[str]) -> Problem:
    if kind not in resource_types():
        return Problem("", "reference-target", f"{kind[:40]} is no resource type of R4")
    return Problem("", "reference-target", f"{kind} is not allowed here, only {', '.join(sorted(targets))}")
