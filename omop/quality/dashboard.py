"""The results in the shape of the OHDSI Data Quality Dashboard, so that its viewer opens them.

Its file is what R writes: a value alone is a list of one; a table is a list of objects; names in camel case. What a
check could not judge is ``notApplicable`` there, since the dashboard has no other word for it; the reason tells.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from omop.quality.checks import CheckType, check_types
from omop.quality.results import FAILED, NOT_APPLICABLE, NOT_EVALUATED, PASSED

CATEGORIES = ("Plausibility", "Conformance", "Completeness")
Row = Mapping[str, Any]


def dashboard(results: Sequence[Row], cdm_source: Row, started: datetime, ended: datetime) -> dict[str, Any]:
    """The whole file.

    Args:
        results: checks, as the run recorded them; those that are not of the dashboard are left out.
        cdm_source: the row of that table.
    """
    rows = [_result(row, check_types()[row["check"]]) for row in results if row["check"] in check_types()]
    seconds = round((ended - started).total_seconds(), 3)
    return {
        "startTimestamp": [f"{started:%Y-%m-%d %H:%M:%S}"],
        "endTimestamp": [f"{ended:%Y-%m-%d %H:%M:%S}"],
        "executionTime": [f"{seconds} secs"],
        "executionTimeSeconds": [seconds],
        "CheckResults": rows,
        "Metadata": [{_camel(name): _plain(value) for name, value in cdm_source.items() if value is not None}],
        "Overview": {name: [value] for name, value in _overview(rows).items()},
    }


def _result(row: Row, kind: CheckType) -> dict[str, Any]:
    violated, of = row["violated"], row["rows"]
    unjudged = row["status"] in (NOT_APPLICABLE, NOT_EVALUATED)
    place = (row["cdm_table"], row["cdm_field"], row["concept_id"])
    found = {
        "numViolatedRows": violated,
        "pctViolatedRows": violated / of if of else 0,
        "numDenominatorRows": of,
        "checkName": kind.name,
        "checkLevel": kind.level,
        "checkDescription": _described(kind.description, row),
        "cdmTableName": row["cdm_table"].upper(),
        "cdmFieldName": (row["cdm_field"] or "").upper() or None,
        "conceptId": row["concept_id"],
        "sqlFile": kind.sql_file,
        "category": kind.category,
        "subcategory": kind.subcategory or None,
        "context": kind.context,
        "checkId": "_".join(part.lower() for part in (kind.level, kind.name, *filter(None, place))),
        "failed": int(row["status"] == FAILED),
        "passed": int(row["status"] == PASSED),
        "isError": 0,
        "notApplicable": int(unjudged),
        "notApplicableReason": f"{row['status']}: {row['reason']}" if unjudged else None,
        "thresholdValue": row["threshold"],
        "notesValue": None if unjudged else row["reason"],
    }
    return {name: value for name, value in found.items() if value is not None}  # R writes no key for NA


def _described(text: str, row: Row) -> str:
    names = {"@cdmTableName": row["cdm_table"].upper(), "@cdmFieldName": (row["cdm_field"] or "").upper()}
    for name, value in names.items():
        text = text.replace(name, value)
    return text.replace("@conceptId", row["concept_id"] or "")


def _overview(rows: Sequence[Row]) -> dict[str, float]:
    failed, passed = (sum(row[name] for row in rows) for name in ("failed", "passed"))
    found: dict[str, float] = {
        "countTotal": len(rows),
        "countThresholdFailed": failed,
        "countErrorFailed": 0,
        "countOverallFailed": failed,
        "countPassed": passed,  # what was not judged has not passed
        "percentPassed": _percent(passed, passed + failed),
        "percentFailed": _percent(failed, passed + failed),
    }
    for category in CATEGORIES:
        here = [row for row in rows if row["category"] == category]
        found[f"countTotal{category}"] = len(here)
        found[f"countFailed{category}"] = sum(row["failed"] for row in here)
        found[f"countPassed{category}"] = sum(row["passed"] for row in here)
    return found


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole) if whole else 0


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)
