"""What a check finds."""

from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule. ``error``: the resource is not sent. ``warning``: someone should look.

    The message never repeats a value of the resource, which may hold patient data; codes are the exception.
    """

    path: str  # FHIRPath-like: DetectedIssue.evidence[0].detail[1]
    rule: str  # "required", "binding", "ras-1", "probability-scale"…
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.message} ({self.rule})"

    def under(self, place: str) -> "Problem":
        """The same, as seen by what holds the element: paths are written on the way out, when there is a problem."""
        return replace(self, path=place + self.path)
