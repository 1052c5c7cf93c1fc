"""A small R4 server on loopback, the stand-in for a hospital's record system in the demo and the tests.

It says what it is on its first page and in its CapabilityStatement. Everything is in memory, and lost at the end.

    with run_sandbox() as base_url:
        deliver(outbox, base_url, reidentifier)

``abilities`` makes it stand in for lesser servers, faults make it fail as real ones do.
"""

from fhir_adapters.sandbox.abilities import Abilities
from fhir_adapters.sandbox.server import Tls, run_sandbox

__all__ = ["Abilities", "Tls", "run_sandbox"]
