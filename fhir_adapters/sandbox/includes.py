"""``_include`` and ``_revinclude``: what the matches refer to, and what refers to them."""

from typing import Any

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.index import at, local
from fhir_adapters.sandbox.interaction import Interaction
from fhir_adapters.sandbox.parameters import REFERENCES, TYPES
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.scopes import require_scope
from fhir_adapters.sandbox.search import Parameters

Json = dict[str, Any]
INCLUDES = ("_include", "_revinclude")


def require_include(kind: str, name: str, value: str, asked: Interaction) -> None:
    """Refuse an include that this server does not follow, or whose resources the client may not read."""
    source, parameter = _parts(value)
    if parameter not in REFERENCES or parameter not in TYPES.get(source, ()):
        raise Refused(400, "not-supported", f"{name} does not follow this here")
    if name == "_include" and source != kind:
        raise Refused(400, "invalid", "_include starts at the type that is searched")
    # What an _include leads to is known only when it is found: the token must allow to read everything.
    require_scope(asked, source if name == "_revinclude" else "*", "s")


def included(repository: Repository, matched: list[Json], asked: Parameters) -> list[Json]:
    """The resources that come with the matches, each once, and never one that matched."""
    paths: dict[str, None] = {}
    for name, value in asked:
        source, parameter = _parts(value)
        for resource in matched:
            if name == "_revinclude":
                path = f"{resource['resourceType']}/{resource['id']}"
                paths |= {f"{source}/{id_}": None for id_ in repository.store.index.ids(source, parameter, path)}
            else:
                found = at(resource, REFERENCES[parameter])
                paths |= {local(str(item.get("reference"))): None for item in found if isinstance(item, dict)}
    own = {f"{resource['resourceType']}/{resource['id']}" for resource in matched}
    kept = (repository.store.named(path) for path in paths if path not in own)
    return [resource for resource in kept if resource is not None]


def _parts(value: str) -> tuple[str, str]:
    """``Provenance:target`` or ``Provenance:target:DetectedIssue``."""
    source, _, rest = value.partition(":")
    return source, rest.partition(":")[0]
