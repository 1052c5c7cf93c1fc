"""How an attempt ended."""

from dataclasses import dataclass, field

from fhir_adapters.delivery.answers import Answer


@dataclass(frozen=True, slots=True)
class Result:
    """The class of an answer, and what the target told."""

    answer: Answer
    http_status: int | None = None
    entry_status: int | None = None
    server_id: str | None = None
    version_id: str | None = None
    outcome: str | None = None  # OperationOutcome, not yet redacted
    retry_after_s: float | None = None
    why: str = ""
    bundle_refused: bool = False  # it passed alone: the target takes no Bundles, whatever it says
    support_ids: dict[str, str] = field(default_factory=dict)  # what this attempt made sure of: Device, Group
