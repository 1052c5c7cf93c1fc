"""Our R4 rules: tables of the official elements, and the invariants that no table can hold.

``fhir.resources`` checks structure only (16 of 43 broken resources refused); codes, reference targets,
invariants and the scale of probabilities are checked here, on plain dicts, for every resource we send.
"""

from fhir_adapters.rules.check import check, errors
from fhir_adapters.rules.problem import Problem

__all__ = ["Problem", "check", "errors"]
