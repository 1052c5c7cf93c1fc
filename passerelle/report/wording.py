"""How numbers and names are written, and what the words of a run mean. Read by whoever edits the page's text."""

from collections.abc import Sequence
from datetime import UTC, datetime

THIN = "\u202f"  # narrow no-break space: a number is never broken over two lines
NONE = "–"

OUTCOME_MEANING = {
    "mapped": "became at least one row of the CDM table that its mapping names",
    "routed": "became a row of another CDM table, because the domain of its concept says so",
    "merged": "its content went into another row (a repeated copy, a part of an event)",
    "excluded": "left out on purpose, by a rule with a name",
    "quarantined": "set aside because it could not be trusted; listed with the reason",
}
STEP_MEANING = {
    "started": "begin",
    "extracted": "extract: read, pseudonymise, land",
    "mapped": "map to OMOP, balance the accounts",
    "checked": "check quality",
    "published": "publish views and snapshot",
    "loaded": "load the vocabulary",
}
COMPARISON_MEANING = {
    "ledgerBalances": "every row of the source table has an outcome",
    "rowsWritten": "the CDM table holds the rows that the mapping meant",
    "rowsTraced": "every row of the CDM table leads back to a source row",
    "sourceRowsTraced": "every mapped source row is led back to",
    "control": "a question that the source itself asks of both sides",
}
STATE_MEANING = {
    "ACKED": "delivered: the target confirmed it",
    "PENDING": "waiting to be sent",
    "LEASED": "being sent",
    "RETRY": "refused for now, will be tried again",
    "UNKNOWN": "sent, no answer came: to be verified, never sent blindly again",
    "VERIFY": "being verified at the target",
    "DEAD": "could not be delivered: a person must look",
    "EXPIRED": "no longer true before it could be sent",
    "SUPERSEDED": "replaced by a newer content before it was sent",
    "CANCELLED": "a person closed it at the target",
}
FIGURES = {
    "auroc": "Discrimination (area under the ROC curve)",
    "average_precision": "Average precision",
    "ece": "Expected calibration error (0 is perfect)",
    "ece_of_chance": "The same if the forecasts were perfect: chance alone",
    "brier": "Brier score (0 is perfect)",
    "brier_skill": "Brier skill (0: no better than the prevalence)",
    "slope": "Calibration slope (1 is perfect)",
    "intercept": "Calibration intercept (0 is perfect)",
    "mean_forecast": "Mean forecast",
    "observed_rate": "Observed share",
}


def number(value: float | int | None) -> str:
    """``12 345`` with thin spaces; a dash for nothing."""
    if value is None:
        return NONE
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.3g}".replace(",", THIN) if abs(value) < 1000 else f"{value:,.0f}".replace(",", THIN)
    return f"{int(value):,}".replace(",", THIN)


def share(part: float, whole: float, digits: int = 1) -> str:
    """``98.5%``; never 0% of something, never 100% of less than all."""
    if not whole:
        return NONE
    percent, step = 100 * part / whole, 10**-digits
    if 0 < percent < step / 2:
        return f"<{step:.{digits}f}%"
    if 100 - step / 2 <= percent < 100:
        return f">{100 - step:.{digits}f}%"
    return f"{percent:.0f}%" if percent in (0, 100) else f"{percent:.{digits}f}%"


def decimals(value: float | None, digits: int = 2) -> str:
    """A figure of a model, with a true minus sign."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", "−")


def seconds(value: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if value >= 60:
        return f"{int(value) // 60}{THIN}min {int(value) % 60:02d}{THIN}s"
    return f"{value:.1f}{THIN}s" if value < 10 else f"{value:.0f}{THIN}s"


def moment(value: datetime | str | None) -> str:
    """``2026-03-05 07:00 UTC``, of a time or of its ISO text."""
    if value is None:
        return NONE
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    instant = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def words(name: str) -> str:
    """``duplicate_row`` → ``duplicate row``."""
    return name.replace("_", " ")


def count(how_many: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``12 345 rows``."""
    return f"{number(how_many)} {one if how_many == 1 else many or one + 's'}"


def listed(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
