"""The states of a row of the outbox.

PENDING → LEASED → ACKED
             ├───→ RETRY → LEASED              (after next_at)
             ├───→ UNKNOWN → VERIFY → ACKED | RETRY | UNKNOWN
             ├───→ CANCELLED                   (a person closed the resource at the target)
             └───→ DEAD                        (someone must look; may be put back)
PENDING, RETRY → EXPIRED | SUPERSEDED

An expired lease goes to UNKNOWN, not to PENDING: whoever held it may have sent before it died.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a row is on its way."""

    PENDING = "PENDING"
    LEASED = "LEASED"
    ACKED = "ACKED"
    RETRY = "RETRY"
    UNKNOWN = "UNKNOWN"
    VERIFY = "VERIFY"
    DEAD = "DEAD"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"


class Kind(StrEnum):
    """Why a content was written."""

    UPSERT = "upsert"  # the model said it
    RETRACT = "retract"  # the model version was recalled
    MITIGATE = "mitigate"  # a person judged it


WAITING = (State.PENDING, State.RETRY)  # not sent, or refused for now: may still be replaced or expire
IN_FLIGHT = (State.LEASED, State.VERIFY)  # a worker holds it
UNSETTLED = (State.LEASED, State.VERIFY, State.UNKNOWN)  # a later content of the same key has to wait
OPEN = (State.PENDING, State.RETRY, State.LEASED, State.VERIFY, State.UNKNOWN)  # work remains
