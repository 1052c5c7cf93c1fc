"""Read the row of a scan: passed, failed, or not evaluated; and the thresholds that a site sets for itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from omop.quality.checks import Check
from omop.quality.scan import Scan
from passerelle.errors import UsageError

PASSED, FAILED, NOT_EVALUATED = "passed", "failed", "not evaluated"
Thresholds = Mapping[tuple[str, str, str | None], float]  # (check, table, field) → percent


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
    reason: str | None = None  # why it is not evaluated


class SiteThreshold(BaseModel, extra="forbid", frozen=True):
    """A threshold that a site sets, and signs."""

    check: str
    table: str
    field: str | None = None
    percent: float = Field(ge=0, le=100)
    reason: str = Field(min_length=1)
    author: str = Field(min_length=1)
    date: date


def load_thresholds(path: Path) -> Thresholds:
    """Thresholds of a site file: a YAML list of check, table, field, percent, reason, author, date.

    Raises: UsageError: the file cannot be read as such a list.
    """
    try:
        entries = TypeAdapter(list[SiteThreshold]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError("the file of thresholds cannot be read", looked=f"{path}: {error}") from error
    return {(entry.check, entry.table, entry.field): entry.percent for entry in entries}


def interpret(scan: Scan, row: Mapping[str, Any] | None, thresholds: Thresholds | None = None) -> list[Result]:
    """Results of a scan.

    Args:
        scan: the plan.
        row: the one row that its SQL gives; None where it has none.
        thresholds: those of the site, which win over those of the dashboard.
    """
    site = thresholds or {}
    found = [_settled(check, passed) for check, passed in scan.settled]
    found += [_unevaluated(check, reason) for check, reason in scan.unevaluated]
    for measure in scan.measures:
        violated, rows = (int(row[name] or 0) if row else 0 for name in (measure.violated, measure.rows))
        found.append(_measured(measure.check, violated, rows, site))
    return found


def _measured(check: Check, violated: int, rows: int, site: Thresholds) -> Result:
    threshold = site.get((check.name, check.table, check.field), check.threshold)
    if rows == 0:
        reason = "no row to check"
        return Result(check.name, check.table, check.field, 0, 0, threshold, NOT_EVALUATED, check.severity, reason)
    status = FAILED if 100 * violated > threshold * rows else PASSED
    return Result(check.name, check.table, check.field, violated, rows, threshold, status, check.severity)


def _settled(check: Check, passed: bool) -> Result:
    status = PASSED if passed else FAILED
    return Result(check.name, check.table, check.field, int(not passed), 1, 0.0, status, check.severity)


def _unevaluated(check: Check, reason: str) -> Result:
    return Result(
        check.name, check.table, check.field, None, None, check.threshold, NOT_EVALUATED, check.severity, reason
    )
