"""A check, and what it says of a service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import httpx

Subject = TypeVar("Subject")
Status = Literal["pass", "fail", "skipped"]


class Failed(Exception):
    """The rule is broken; the text says how."""


class Skipped(Exception):
    """The rule cannot be judged here; the text says why."""


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One rule as a question to a running service.

    ``run`` gives a sentence when the rule holds and raises ``Failed`` or ``Skipped`` otherwise.
    """

    id: str
    source: str  # the text that it rests on
    asks: str
    run: Callable[[Subject], str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one check. The sentence never repeats what a service said about a patient."""

    check: str
    source: str
    asks: str
    service: str  # id and hook; empty for the server as a whole
    status: Status
    sentence: str


def judge(check: Check[Subject], subject: Subject, service: str = "") -> Verdict:
    """Run one check; a service that does not answer has failed it."""
    try:
        status, sentence = _status(check, subject)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        status, sentence = "fail", f"no answer: {type(error).__name__}"
    return Verdict(check.id, check.source, check.asks, service, status, sentence)


def _status(check: Check[Subject], subject: Subject) -> tuple[Status, str]:
    try:
        return "pass", check.run(subject)
    except Failed as failed:
        return "fail", str(failed)
    except Skipped as skipped:
        return "skipped", str(skipped)
