"""Dates of a search: each is the interval that its precision leaves open, as R4 compares them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_adapters.refused import Refused

Interval = tuple[datetime, datetime]  # from, and the first moment after

_FORM = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_LAST = datetime.max.replace(tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)
_COMPARE: dict[str, Callable[[Interval, Interval], bool]] = {
    "eq": lambda a, b: b[0] <= a[0] and a[1] <= b[1],
    "ne": lambda a, b: not (b[0] <= a[0] and a[1] <= b[1]),
    "gt": lambda a, b: a[1] > b[1],
    "ge": lambda a, b: a[0] >= b[0] or a[1] > b[1],
    "lt": lambda a, b: a[0] < b[0],
    "le": lambda a, b: a[1] <= b[1] or a[0] < b[0],
    "sa": lambda a, b: a[0] >= b[1],
    "eb": lambda a, b: a[1] <= b[0],
}


def date_test(wanted: str) -> Callable[[Any], bool]:
    """A test for ``ge2026-01-01``: takes a date, an instant or a Period of a resource."""
    prefix = wanted[:2] if wanted[:2] in _COMPARE else ""
    sought, compare = interval(wanted[len(prefix) :]), _COMPARE[prefix or "eq"]
    return lambda found: compare(_period(found) if isinstance(found, dict) else interval(found), sought)


def interval(text: str) -> Interval:
    """The interval that a partial date means; without a zone it is UTC.

    Example:
        >>> [moment.isoformat() for moment in interval("2026-02")]
        ['2026-02-01T00:00:00+00:00', '2026-03-01T00:00:00+00:00']
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise Refused(400, "value", "a date or an instant is expected")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    date = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
    try:
        start = datetime.fromisoformat(f"{date}.{(fraction or '0')[:6]:0<6}{zone or 'Z'}")
        return start, start + _length(match)
    except (ValueError, OverflowError) as error:
        raise Refused(400, "value", "no such date") from error


def _length(match: re.Match[str]) -> timedelta:
    year, month, day, hour, _, second, fraction, _ = match.groups()
    if fraction:
        return timedelta(microseconds=max(10 ** (6 - len(fraction)), 1))
    if hour:
        return timedelta(seconds=1 if second else 60)
    if day:
        return timedelta(days=1)
    first = datetime(int(year), int(month or 1), 1)
    after = datetime(int(year) + (not month or month == "12"), int(month or 12) % 12 + 1, 1)
    return after - first


def _period(period: Any) -> Interval:
    start, end = period.get("start"), period.get("end")
    return interval(start)[0] if start else _FIRST, interval(end)[1] if end else _LAST
