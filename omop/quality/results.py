"""What became of a check: passed, failed, not applicable, not evaluated; and the thresholds that a site signs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from omop.quality.checks import Check
from passerelle.errors import UsageError

PASSED, FAILED = "passed", "failed"
NOT_APPLICABLE = "not applicable"  # it ran and found no row to judge
NOT_EVALUATED = "not evaluated"  # it could not run: a table, a column, the vocabulary or an account is not there
STATUSES = (PASSED, FAILED, NOT_APPLICABLE, NOT_EVALUATED)


@dataclass(frozen=True)
class Tally:
    """How many rows break a check, of how many that it is about. Tallies of disjoint persons add up."""

    check: Check
    violated: int
    rows: int


@dataclass(frozen=True)
class Result:
    """One check, computed."""

    check: str
    cdm_table: str
    cdm_field: str | None
    violated: int | None
    rows: int | None
    threshold: float  # percent
    status: str
    severity: str
    reason: str | None = None  # why it is not evaluated; who set its threshold and why
    concept_id: str | None = None  # of which concept, where the check is about one


class SiteThreshold(BaseModel, extra="forbid", frozen=True):
    """A threshold that a site sets, and signs."""

    check: str
    table: str
    field: str | None = None
    concept: str | None = Field(None, description="None: every concept of the column", coerce_numbers_to_str=True)
    percent: float = Field(ge=0, le=100)
    reason: str = Field(min_length=1)
    author: str = Field(min_length=1)
    date: date


Thresholds = Mapping[tuple[str, str, str | None, str | None], SiteThreshold]  # (check, table, field, concept)


def load_thresholds(path: Path) -> Thresholds:
    """Thresholds of a site file: a YAML list of check, table, field, concept, percent, reason, author, date.

    Raises: UsageError: the file cannot be read as such a list.
    """
    try:
        entries = TypeAdapter(list[SiteThreshold]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError("the file of thresholds cannot be read", looked=f"{path}: {error}") from error
    return {(entry.check, entry.table, entry.field, entry.concept): entry for entry in entries}


def judged(tally: Tally, thresholds: Thresholds | None = None) -> Result:
    """A result; the threshold of the site wins over that of the dashboard."""
    check, site = tally.check, _site(tally.check, thresholds or {})
    threshold = check.threshold if site is None else site.percent
    reason = None if site is None else f"{site.percent:g} % allowed by {site.author}, {site.date}: {site.reason}"
    if tally.rows == 0:
        return _result(check, 0, 0, threshold, NOT_APPLICABLE, "no row to check")
    status = FAILED if 100 * tally.violated > threshold * tally.rows else PASSED
    return _result(check, tally.violated, tally.rows, threshold, status, reason)


def settled(check: Check, passed: bool) -> Result:
    """The result of a check on the shape of a table: one question, answered."""
    return _result(check, int(not passed), 1, 0.0, PASSED if passed else FAILED, None)


def unevaluated(check: Check, reason: str) -> Result:
    """A check that could not run: never passed."""
    return _result(check, None, None, check.threshold, NOT_EVALUATED, reason)


def _site(check: Check, site: Thresholds) -> SiteThreshold | None:
    place = (check.name, check.table, check.field)
    return site.get((*place, check.concept)) or site.get((*place, None))


def _result(
    check: Check, violated: int | None, rows: int | None, threshold: float, status: str, reason: str | None
) -> Result:
    return Result(
        check.name, check.table, check.field, violated, rows, threshold, status, check.severity, reason, check.concept
    )
