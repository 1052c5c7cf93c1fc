"""SMART scopes, version 2: ``system/DetectedIssue.cu`` allows to create and to update DetectedIssue."""

import re
from collections.abc import Collection

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.interaction import Interaction

_FORM = re.compile(r"system/(\*|[A-Z][A-Za-z]+)\.(?=[cruds])(c?r?u?d?s?)")
_OF_METHOD = {"POST": "c", "PUT": "u", "DELETE": "d"}


def is_scope(text: str) -> bool:
    """True for a scope of a backend service; its letters come in the order of cruds."""
    return _FORM.fullmatch(text) is not None


def covers(registered: Collection[str], wanted: str) -> bool:
    """True when a client may have a scope."""
    kind, letters = _parts(wanted)
    return all(_allowed(registered, kind, letter) for letter in letters)


def require_write_scope(asked: Interaction, kind: str) -> None:
    """Refuse a write that the token does not allow."""
    require_scope(asked, kind, _OF_METHOD[asked.method])


def require_scope(asked: Interaction, kind: str, letter: str) -> None:
    """Refuse what the token does not allow. Without tokens everything is allowed."""
    if asked.scopes is not None and not _allowed(asked.scopes, kind, letter):
        raise Refused(403, "forbidden", f"the token lacks system/{kind}.{letter}")


def _allowed(scopes: Collection[str], kind: str, letter: str) -> bool:
    return any(name in ("*", kind) and letter in letters for name, letters in map(_parts, scopes))


def _parts(scope: str) -> tuple[str, str]:
    match = _FORM.fullmatch(scope)
    return (match.group(1), match.group(2)) if match else ("", "")
