"""The invariants by hand: everything that the tables cannot say."""

from fhir_adapters.rules.bundle_invariants import BUNDLES
from fhir_adapters.rules.datatype_invariants import DATATYPES
from fhir_adapters.rules.definition_invariants import DEFINITIONS
from fhir_adapters.rules.element_definition_invariants import ELEMENT_DEFINITIONS
from fhir_adapters.rules.resource_invariants import RESOURCES
from fhir_adapters.rules.rule import Rules

RULES: Rules = DATATYPES | RESOURCES | BUNDLES | DEFINITIONS | ELEMENT_DEFINITIONS
