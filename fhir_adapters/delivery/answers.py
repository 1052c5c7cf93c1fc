"""What an HTTP status means for an item, and how long to wait."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

MAX_RETRY_AFTER_S = 3600.0


class Answer(StrEnum):
    """Classes of answers, worst last."""

    ACK = "ack"
    STALE = "stale"  # a conditional create found an older content
    CONFLICT = "conflict"  # another version than the one we knew: read again, rebase
    BUSY = "busy"  # nothing was done: come back later
    UNSENT = "unsent"  # no connection
    DOUBT = "doubt"  # it may have been done: verify
    GONE = "gone"  # someone deleted it
    REJECTED = "rejected"  # the same again gives the same
    SEVERAL = "several"  # more than one current resource for a key: stop the key
    CONFIGURATION = "configuration"  # no item will pass: stop the target


_SEVERITY = {answer: rank for rank, answer in enumerate(Answer)}
PASSING = {Answer.CONFLICT, Answer.BUSY, Answer.UNSENT, Answer.DOUBT}
_CONFIGURATION = {401, 403, 404, 405, 501}


def classify(status: int, *, if_match: bool = False) -> Answer:
    """The class of a status.

    Args:
        if_match: the request named a version; else 412 means that a condition matched several resources.
    """
    if 200 <= status < 300:
        return Answer.ACK
    if status in _CONFIGURATION:
        return Answer.CONFIGURATION
    if status == 409 or (status == 412 and if_match):  # one server answers 409 to a stale If-Match
        return Answer.CONFLICT
    if status == 412:
        return Answer.SEVERAL
    if status == 410:
        return Answer.GONE
    if status in (429, 503):
        return Answer.BUSY
    # 5xx after the request was sent: the work may have been done. Redirects are not followed.
    return Answer.DOUBT if status >= 500 else Answer.REJECTED


def decisive(answers: Iterable[Answer]) -> Answer:
    """Of the answers to several entries, the one that decides.

    Where one may pass later, another's refusal proves nothing: it may have lacked what the first would have brought.
    """
    found = set(answers)
    return max(found & PASSING or found, key=_SEVERITY.__getitem__)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` asks for, given as a number or as an HTTP date; None when unreadable."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None
