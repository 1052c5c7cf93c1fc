"""What an access token lets read: scopes of SMART App Launch 2, ``system/DetectedIssue.rs``, ``patient/*.rs``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SCOPE = re.compile(r"(system|patient)/(\*|[A-Z][A-Za-z]+)\.(c?r?u?d?s?)")
NOBODY = 0  # a person row that there is not
NOT_OF_A_PATIENT = ("Device", "CapabilityStatement")  # anybody with a scope for them may read all


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a reader sees: one person, or everybody."""

    person_id: int | None  # None: everybody


EVERYBODY = Reach(None)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads.

    Args:
        scopes: None for the demo, where all may be read.
        patient: the person row of the claim ``patient``; None when there is no such claim or nobody knows it.
    """

    client: str
    scopes: Sequence[str] | None
    patient: int | None = None

    def reach(self, kind: str, interaction: str) -> Reach | None:
        """How far a type may be read (``r``) or searched (``s``); None: not at all."""
        if self.scopes is None:
            return EVERYBODY
        granted = [found for scope in self.scopes if (found := _SCOPE.fullmatch(scope)) is not None]
        levels = {level for level, named, letters in (g.groups() for g in granted)
                  if named in ("*", kind) and interaction in letters}  # fmt: skip
        if "system" in levels:
            return EVERYBODY
        if "patient" not in levels:
            return None
        return EVERYBODY if kind in NOT_OF_A_PATIENT else Reach(self.patient or NOBODY)
