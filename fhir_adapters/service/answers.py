"""How the service answers: JSON bytes, and an OperationOutcome for whatever it refuses."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from fhir_adapters.exact_json import dumped
from fhir_adapters.refused import Refused

FHIR_JSON, JSON = "application/fhir+json", "application/json"
Documented = dict[int | str, dict[str, Any]]
# Titles of the statuses of refusals, for OpenAPI.
REFUSALS = {
    400: "The request breaks a rule; the OperationOutcome says which.",
    401: "No token, or one that is refused.",
    403: "The token's scopes do not reach so far.",
    404: "Not there, or not within the token's reach.",
    406: "Only JSON is spoken.",
    412: "The patient cannot be known.",
    413: "The body is too large.",
    415: "Another content type is expected.",
    429: "Too many requests: Retry-After says when.",
    503: "The views or the outbox do not answer: Retry-After says when.",
}


def respond(body: Any, *, status: int = 200, kind: str = JSON, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return Response(dumped(body), status, headers=headers, media_type=kind)


def refusal(refused: Refused) -> Response:
    """The answer to what is refused."""
    return respond(refused.outcome, status=refused.status, kind=FHIR_JSON, headers=refused.headers)


def documented(*statuses: int) -> Documented:
    """Refusals for OpenAPI; every route may also meet 413, 429 and 503."""
    schema = {"$ref": "#/components/schemas/OperationOutcome"}
    return {
        status: {"description": REFUSALS[status], "content": {FHIR_JSON: {"schema": schema}}}
        for status in sorted({*statuses, 413, 429, 503})
    }
