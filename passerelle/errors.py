"""Every error a person may meet, shown once at the edge of the program.

PasserelleError
├── UsageError            exit 2: the command was written wrongly
├── TerminalError         exit 1: trying again gives the same
│   ├── SourceError       the source does not hold what was declared
│   ├── MappingError      a mapping cannot be compiled or run
│   ├── UnbalancedRun     rows of the source are unaccounted for
│   ├── ReceiptError      what was written is not what was meant
│   ├── ContractError     a view or a model finds another contract than it needs
│   └── FhirError         a resource breaks FHIR R4
└── TransientError        exit 1: may pass later; only these are retried
    ├── SourceUnreachable
    ├── TargetBusy
    └── WorkspaceBusy     another run holds the workspace
"""


class PasserelleError(Exception):
    """What failed, where it looked, what to do next. Never holds patient data.

    Args:
        what: the fact, in one sentence.
        looked: where the program looked, or what it compared.
        do: the next step for the person who reads it.
    """

    exit_code = 1

    def __init__(self, what: str, *, looked: str | None = None, do: str | None = None) -> None:
        super().__init__(what)
        self.what, self.looked, self.do = what, looked, do

    def __str__(self) -> str:
        lines = [self.what]
        if self.looked:
            lines.append(f"looked: {self.looked}")
        if self.do:
            lines.append(f"do:     {self.do}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The same facts for machines (``--json``)."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "looked": self.looked,
            "do": self.do,
            "transient": isinstance(self, TransientError),
        }


class UsageError(PasserelleError):
    """The command was written wrongly."""

    exit_code = 2


class TerminalError(PasserelleError):
    """Trying again gives the same."""


class SourceError(TerminalError):
    """The source does not hold what was declared."""


class MappingError(TerminalError):
    """A mapping cannot be compiled or run."""


class UnbalancedRun(TerminalError):
    """Rows of the source are unaccounted for: the run refuses to finish."""


class ReceiptError(TerminalError):
    """What was written is not what was meant; the previous version was restored."""


class ContractError(TerminalError):
    """A view or a model finds another contract than it needs."""


class FhirError(TerminalError):
    """A resource breaks FHIR R4."""


class TransientError(PasserelleError):
    """May pass later; schedulers retry only these."""


class SourceUnreachable(TransientError):
    """The source does not answer, or refuses the connection."""


class TargetBusy(TransientError):
    """The FHIR server or database asks to come back later."""


class WorkspaceBusy(TransientError):
    """Another run holds the workspace."""
