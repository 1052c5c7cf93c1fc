"""Shift the dates that a French letter writes, by a number of days that is each person's own.

Intervals inside the letters of one person stay as they were. Against the dates of the records, which do not move, they
differ: whoever needs both keeps the dates.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta

from etl.identity import keyed_hash

MOST_DAYS = 182  # either way; never 0
MONTHS = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet",
          "août", "septembre", "octobre", "novembre", "décembre")  # fmt: skip
UNKNOWN = "<DATE>"  # a day that no calendar has, and that would stand as written beside days that moved
A_COMMON_YEAR = 2023  # for a day and a month without a year
MIDDLE = 15  # of a month without a day

_PLAIN = tuple("".join(c for c in unicodedata.normalize("NFD", m) if not unicodedata.combining(c)) for m in MONTHS)
_NUMBER = {name: n for names in (MONTHS, _PLAIN) for n, name in enumerate(names, start=1)}
_NAMES = "|".join(sorted(_NUMBER, key=len, reverse=True))
_ISO = r"(?<![\d-])(?P<iso>\d{4}-\d{2}-\d{2})(?![\d-])"
_FIGURES = r"(?<![\d./-])(?P<d>\d{1,2})(?P<sign>[/.-])(?P<m>\d{1,2})(?P=sign)(?P<y>\d{4}|\d{2})(?!\d|[./-]\d)"
_WORDS = (
    r"(?<!\w)(?:(?P<day>\d{1,2})(?:er)?(?P<gap>\s+))?"
    rf"(?P<month>{_NAMES})(?:(?P<blank>\s+)(?P<year>\d{{4}}))?(?!\w)"
)
_DATE = re.compile(f"{_ISO}|{_FIGURES}|{_WORDS}", re.IGNORECASE)


def days_of(secret: bytes, person: str) -> int:
    """Days by which the dates of a person move: -182 to 182, never 0; the same each time.

    Args:
        secret: that of the notes.
        person: what tells the person from all others, of every source.
    """
    place = keyed_hash(secret, f"dates of {person}") % (2 * MOST_DAYS)
    return place - MOST_DAYS if place < MOST_DAYS else place - MOST_DAYS + 1


def shift_dates(text: str, days: int) -> str:
    """A text whose dates have moved, each written as it was.

    Example:
        >>> shift_dates("Vue le 02/04/24, puis le 1er mars 2024 ; opérée en février 2024.", 40)
        'Vue le 12/05/24, puis le 10 avril 2024 ; opérée en mars 2024.'
    """
    return _DATE.sub(lambda match: _shifted(match, timedelta(days)), text)


def _shifted(match: re.Match[str], by: timedelta) -> str:
    write: Callable[[re.Match[str], timedelta], str] = _words if match["month"] else _iso if match["iso"] else _figures
    try:
        return write(match, by)
    except (ValueError, OverflowError):
        return UNKNOWN


def _iso(match: re.Match[str], by: timedelta) -> str:
    return (date.fromisoformat(match["iso"]) + by).isoformat()


def _figures(match: re.Match[str], by: timedelta) -> str:
    year = int(match["y"]) + (2000 if len(match["y"]) == 2 else 0)
    moved = date(year, int(match["m"]), int(match["d"])) + by
    padded = (len(match["d"]), len(match["m"]), len(match["y"]))
    values = (moved.day, moved.month, moved.year if padded[2] == 4 else moved.year % 100)
    return match["sign"].join(f"{value:0{width}d}" for value, width in zip(values, padded, strict=True))


def _words(match: re.Match[str], by: timedelta) -> str:
    if not match["day"] and not match["year"]:
        return match.group()  # "en mars": of whichever year
    year = int(match["year"] or A_COMMON_YEAR)
    moved = date(year, _NUMBER[match["month"].lower()], int(match["day"] or MIDDLE)) + by
    parts = []
    if match["day"]:
        parts += [_day(moved.day, match["day"]), match["gap"]]
    parts += [_as_written(moved.month, match["month"])]
    if match["year"]:
        parts += [match["blank"], str(moved.year)]
    return "".join(parts)


def _day(day: int, as_: str) -> str:
    padded = as_.startswith("0")
    return "1er" if day == 1 and not padded else f"{day:02d}" if padded else str(day)


def _as_written(month: int, as_: str) -> str:
    """The name of a month in the capitals of another one."""
    name = MONTHS[month - 1]
    return name.upper() if as_.isupper() else name.capitalize() if as_[0].isupper() else name
