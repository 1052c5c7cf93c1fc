"""What a check of a source found: how bad, where, what, and what to do. Never a value."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a load may begin."""

    ERROR = "error"  # the load would fail, lose rows or let an identifier through
    WARNING = "warning"  # a person should look
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that a person should know before the first load."""

    severity: Severity
    where: str
    what: str
    do: str = ""


def by_severity(findings: list[Finding]) -> list[Finding]:
    """The worst first, then in the order in which they were found."""
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))
