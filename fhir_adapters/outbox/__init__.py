"""The outbox: predictions and the FHIR resources to deliver, written in one database transaction.

outbox = open_outbox("sqlite:///workspace/outbox/outbox.sqlite")
report = outbox.enqueue(predictions)
outbox.status()
"""

from fhir_adapters.outbox.enqueue import EnqueueReport
from fhir_adapters.outbox.items import Item, Job, KeyState
from fhir_adapters.outbox.outbox import DEFAULT_TARGET, Outbox, open_outbox
from fhir_adapters.outbox.states import Kind, State

__all__ = ["DEFAULT_TARGET", "EnqueueReport", "Item", "Job", "KeyState", "Kind", "Outbox", "State", "open_outbox"]
