"""JSON schemas of the messages, for OpenAPI: from the tables by which they are checked."""

from typing import Any

from fhir_adapters.cds_hooks.messages.feedback import ACCEPTED, OVERRIDDEN
from fhir_adapters.cds_hooks.messages.shapes import HOOKS, SHAPES, Member

Json = dict[str, Any]

# Kinds of values that are no shapes.
KINDS: dict[str, Json] = {
    "text": {"type": "string", "minLength": 1},
    "code": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
    "uuid": {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
    "url": {"type": "string", "format": "uri"},
    "moment": {"type": "string", "format": "date-time"},
    "open": {"type": "object"},
    "templates": {"type": "object", "additionalProperties": {"type": "string"}},
    "prefetched": {"type": "object", "minProperties": 1},
}


def schema(name: str) -> Json:
    """The schema of a shape, with those inside it written out."""
    members = SHAPES[name].members
    required = [label for label, member in members.items() if member.required]
    found: Json = {"type": "object", "properties": {label: _member(member) for label, member in members.items()}}
    return found | ({"required": required} if required else {})


def request_schema(hook: str) -> Json:
    """The request of a hook."""
    found, context = schema("request"), schema(hook)
    context["properties"]["userId"] = {
        "type": "string",
        "pattern": rf"^({'|'.join(HOOKS[hook])})/[A-Za-z0-9\-.]{{1,64}}$",
    }
    if "draftOrders" in context["properties"]:
        context["properties"]["draftOrders"] = _resource("Bundle")
    found["properties"] |= {"hook": {"type": "string", "enum": [hook]}, "context": context}
    return found


def feedback_schema() -> Json:
    """The body of the feedback endpoint."""
    found = schema("feedbacks")
    found["properties"]["feedback"]["items"]["properties"]["outcome"] = {"enum": [ACCEPTED, OVERRIDDEN]}
    return found


def _resource(kind: str) -> Json:
    return {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"const": kind}}}


def _member(member: Member) -> Json:
    one = dict(KINDS[member.kind]) if member.kind in KINDS else schema(member.kind)
    if member.codes:
        one["enum"] = list(member.codes)
    if not member.many:
        return one
    return {"type": "array", "items": one} | ({} if member.may_be_empty else {"minItems": 1})
