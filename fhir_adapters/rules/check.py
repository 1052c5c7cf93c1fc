"""``check``: everything that is wrong with a resource."""

from typing import Any

from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.structure import walk_resource

RARE_EVENT_RULE = "probability-below-one"


def check(resource: dict[str, Any], *, rare_events: bool = False) -> list[Problem]:
    """Every broken rule of a resource, structure first.

    Args:
        resource: the dict that will be sent, numbers as int, float or Decimal.
        rare_events: the caller states that probabilities below 1 % are meant (else 0.85 is taken for 85 %).
    Returns: problems, errors and warnings; empty when there is nothing to say.
    Example:
        >>> [p.rule for p in check({"resourceType": "DetectedIssue", "status": "done"})]
        ['binding', 'dom-6']
    """
    name = str(resource.get("resourceType", "resource")) if isinstance(resource, dict) else "resource"
    return [p for p in walk_resource(resource, name) if not (rare_events and p.rule == RARE_EVENT_RULE)]


def errors(resource: dict[str, Any], *, rare_events: bool = False) -> list[Problem]:
    """Only the problems for which a resource is not sent."""
    return [problem for problem in check(resource, rare_events=rare_events) if problem.severity == "error"]
