"""References inside a transaction that the server turns into literal ones."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.identity import find_one
from fhir_adapters.sandbox.operations import Write
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.search import View
from fhir_adapters.sandbox.store import Version
from fhir_adapters.sandbox.validation import references

Literals = Mapping[str, str]  # what stands there → Type/id
_CONDITIONAL = re.compile(r"[A-Z][A-Za-z]+\?.+=.*")


def literal_for_full_urls(writes: Mapping[int, Write], full_urls: Sequence[str]) -> Literals:
    """``urn:uuid:…`` of an entry, or the address of one whose id the server chooses."""
    named = ((full_urls[index], write) for index, write in writes.items() if write.method != "DELETE")
    return {url: f"{w.type}/{w.id}" for url, w in named if url and (w.our_id or url.startswith("urn:"))}


def literal_for_conditional(repository: Repository, writes: Collection[Write]) -> Literals:
    """``Patient?identifier=…``: it may mean a resource of the store or one that the transaction brings.

    Raises:
        Refused: it means no resource, or several.
    """
    wanted = {r for write in writes for r in references(write.body) if "?" in r and _CONDITIONAL.fullmatch(r)}
    if not wanted:
        return {}
    with repository.store.rehearsal():
        for write in writes:
            body = None if write.method == "DELETE" else write.body
            if isinstance(body, dict) and not write.there:
                body = body | {"resourceType": write.type, "id": write.id}
            if not write.there:
                repository.store.add(Version(write.type, write.id, "", "", write.method, body))
        return {reference: _found(repository, reference) for reference in wanted}


def _found(repository: Repository, reference: str) -> str:
    kind, _, condition = reference.partition("?")
    found = find_one(View(repository.store), kind, parse_qsl(condition))
    if found is None:
        raise Refused(412, "not-found", f"a conditional reference means no {kind}")
    return f"{kind}/{found['id']}"


def with_literals(node: Any, literal: Literals) -> Any:
    """A copy in which these references are literal."""
    if isinstance(node, list):
        return [with_literals(item, literal) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: literal.get(value, value)
        if name == "reference" and isinstance(value, str)
        else with_literals(value, literal)
        for name, value in node.items()
    }
