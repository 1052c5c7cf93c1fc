"""The messages of CDS Hooks 2.0: discovery, hook request, response, feedback. Each ``check_…`` gives every problem.

The same checks judge what other services answer (the suite), what our service receives and what we send (tests).
"""

from fhir_adapters.cds_hooks.messages.discovery import check_discovery
from fhir_adapters.cds_hooks.messages.feedback import check_feedback
from fhir_adapters.cds_hooks.messages.prefetch import has_prefetch, unsatisfied
from fhir_adapters.cds_hooks.messages.request import check_request
from fhir_adapters.cds_hooks.messages.response import check_response
from fhir_adapters.cds_hooks.messages.sources import source_of
from fhir_adapters.rules.problem import Problem

__all__ = [
    "Problem",
    "check_discovery",
    "check_feedback",
    "check_request",
    "check_response",
    "errors",
    "has_prefetch",
    "source_of",
    "unsatisfied",
]


def errors(problems: list[Problem]) -> list[Problem]:
    """Only those for which a message is refused."""
    return [problem for problem in problems if problem.severity == "error"]
