"""How an attempt ended."""

from dataclasses import dataclass, field, replace

from fhir_adapters.delivery.answers import PASSING, Answer


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


def half_done(rest: Result) -> Result:
    """The result when the resource was written and what goes with it was not, for now: it is there, so look again.

    Called busy, it would give way to a newer content that knows nothing of it: of a document two would be current.
    """
    return replace(rest, answer=Answer.DOUBT) if rest.answer in PASSING else rest
