"""The OpenAPI description: what FastAPI finds in the routes, and the few schemas that they share."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

Json = dict[str, Any]

_RESOURCE: Json = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string"}, "id": {"type": "string"}, "meta": {"type": "object"}},
}
SCHEMAS: Json = {
    "Resource": _RESOURCE,
    "Bundle": {
        "type": "object",
        "required": ["resourceType", "type", "link"],
        "properties": {
            "resourceType": {"const": "Bundle"},
            "type": {"enum": ["searchset", "history"]},
            "total": {"type": "integer", "minimum": 0},
            "link": {"type": "array", "items": {"type": "object", "required": ["relation", "url"]}},
            "entry": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["resource", "fullUrl"]}},
        },
    },
    "OperationOutcome": {
        "type": "object",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "issue": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["severity", "code"]}},
        },
    },
}
BEARER: Json = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


def described(app: FastAPI) -> None:
    """Have the application describe itself so."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            components = found.setdefault("components", {})
            components["schemas"] = SCHEMAS
            components["securitySchemes"] = BEARER
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
