"""The values that are no objects of the text: strings, addresses, times."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fhir_adapters.rules.primitives import accepts

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_empty(value: Any) -> bool:
    """True for what JSON of CDS Hooks may not hold unless the text says so: ``""``, ``[]``, ``{}``."""
    return value in ([], {}) or (isinstance(value, str) and not value.strip())


def is_uuid(value: Any) -> bool:
    """True for the text form of a UUID, without ``urn:uuid:``."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_web_address(value: Any) -> bool:
    """True for an absolute http or https URL: what a browser may load; ``javascript:`` is none."""
    if not isinstance(value, str) or re.search(r"\s", value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (_is_text, "a string"),
    "code": (_is_text, "a string"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "integer": (_is_whole, "a whole number"),
    "id": (lambda value: accepts("id", value), "the id of a FHIR resource, without its type"),
    "uuid": (is_uuid, "a UUID"),
    "url": (is_web_address, "an absolute http or https address"),
    "moment": (lambda value: accepts("instant", value), "a date and time as RFC 3339 writes them, with its zone"),
    "open": (lambda value: isinstance(value, dict), "an object"),
    "templates": (lambda value: isinstance(value, dict), "an object of templates by key"),
    "prefetched": (lambda value: isinstance(value, dict), "an object of resources by key"),
}
