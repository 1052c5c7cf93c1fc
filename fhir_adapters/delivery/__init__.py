"""Delivery: the outbox goes to a FHIR server, of which it knows the base URL and nothing else.

report = deliver(outbox, "https://dpi.chu.example/fhir", reidentifier)
"""

from fhir_adapters.delivery.courier import deliver
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.probe import TargetProfile, probe
from fhir_adapters.delivery.report import DeliveryReport
from fhir_adapters.delivery.trial import probe_target

__all__ = ["DeliveryOptions", "DeliveryReport", "TargetProfile", "deliver", "probe", "probe_target"]
