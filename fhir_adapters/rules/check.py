"""``check``: everything that is wrong with a resource."""

from typing import Any

from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.structure import judge_resource


def check(resource: dict[str, Any]) -> list[Problem]:
    """Every broken rule of a resource, structure first.

    Args:
        resource: the dict that will be sent, numbers as int, float or Decimal.
    Returns: problems, errors and warnings; empty when there is nothing to say.
    Example:
        >>> [p.rule for p in check({"resourceType": "DetectedIssue", "status": "done"})]
        ['binding', 'dom-6']
    """
    name = str(resource.get("resourceType", "resource")) if isinstance(resource, dict) else "resource"
    return [problem.under(name) for problem in judge_resource(resource)]


def errors(resource: dict[str, Any]) -> list[Problem]:
    """Only the problems for which a resource is not sent."""
    return [problem for problem in check(resource) if problem.severity == "error"]
