"""Resolves items for one target: identities take the place of the stand-ins, in memory, at the last moment."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from fhir_adapters.delivery.patients import Patients
from fhir_adapters.identities import Identities
from fhir_adapters.outbox import Item
from fhir_adapters.outbox.contents import Content
from fhir_adapters.reidentifier import Reidentifier

MASK = "[…]"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The resources of an item as the target will see them, and the words that must not be written down."""

    content: Content
    secrets: tuple[str, ...]


def redacted(text: str | None, secrets: Iterable[str]) -> str | None:
    """The text without what identifies the patients: a target may give back what it was sent."""
    for secret in sorted(set(secrets), key=len, reverse=True) if text else ():
        # A short number is hidden where it stands alone, or every digit of the text would go.
        pattern = re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, MASK, text or "", flags=re.IGNORECASE)
    return text


def resolve(item: Item, patients: Patients, reidentifier: Reidentifier) -> Resolved:
    """The item with real references.

    Raises:
        IdentityNotFound: nobody knows the patient.
        SeveralPatients: the target knows the patient more than once.
        SearchRefused: the target does not say.
    """
    identities, secrets = Identities(reidentifier, partial(patients.named, key=item.key)), set[str]()
    resource, provenance, *supports = (
        identities.put_into(one, secrets)
        for one in (item.content.resource, item.content.provenance, *item.content.supports)
    )
    return Resolved(Content(resource, tuple(supports), provenance), tuple(secrets))
