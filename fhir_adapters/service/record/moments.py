"""Dates and times of FHIR, which may say less than a day."""

import re
from datetime import UTC, datetime
from typing import Any

_PARTS = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def moment(value: Any) -> datetime | None:
    """The instant of a date, dateTime or instant, the first one where only a year, a month or a day is said.

    Example:
        >>> moment("2025-03").isoformat()
        '2025-03-01T00:00:00+00:00'
    """
    if not isinstance(value, str):
        return None
    try:
        if partial := _PARTS.fullmatch(value):
            return datetime(int(partial[1]), int(partial[2] or 1), int(partial[3] or 1), tzinfo=UTC)
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
