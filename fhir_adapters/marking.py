"""The marks that say: a machine wrote this."""

from typing import Any

OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


def ai_asserted() -> dict[str, Any]:
    """AIAST, "artificial intelligence asserted".

    R4's own copy of the code system (2018) lacks the code; a receiver with plain R4 terminology refuses it, so
    each target has a switch (``DeliveryOptions.mark_ai``) that leaves it out of ``meta.security``.
    """
    return {"system": OBSERVATION_VALUE, "code": "AIAST", "display": "Artificial Intelligence asserted"}
