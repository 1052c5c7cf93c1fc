"""The facts of one source: its run, the accounts of its rows, quarantine, gaps, quality."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from etl.resolution import RESERVATIONS
from omop.lake import Lake
from omop.quality.comparisons import NAMES as COMPARISONS
from passerelle import runs
from passerelle.ledger import ledger
from passerelle.report.collect_assessment import collect_assessment
from passerelle.report.collect_tables import cdm_source_row, collect_tables
from passerelle.report.facts import (
    OUTCOMES,
    Account,
    Assessment,
    CdmFacts,
    Gap,
    QualityCheck,
    QuarantineGroup,
    RuleCount,
    RunFacts,
    SourceFacts,
    Step,
    VocabularyGaps,
)
from spark_jobs import ops

Row = dict[str, Any]

EXAMPLES = 5  # places shown for each reason of the quarantine
TOP_GAPS = 40
LABEL_LENGTH = 90  # a label of a source may be a whole text
# Only words that a declaration writes about invented people: "generated" alone may describe a real document.
SYNTHETIC = re.compile(
    r"synth[eé]ti|fictiti|fictif|fictive|simulated|invented|generated (?:hospital|patient|people|data)", re.I
)
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*(?=@)")


def collect_source(
    lake: Lake, name: str, recorded: Sequence[Row], buckets: tuple[int, int] | None, versions: Mapping[str, int]
) -> SourceFacts:
    """Everything about one source.

    Args:
        recorded: rows of ``ops.run``, oldest first.
        buckets: its person buckets: the first, and the one after the last.
        versions: of the tables, as their readers see them.
    """
    mine = [row for row in recorded if row["source"] == name]
    newest = mine[-1]["run_id"] if mine else None
    mapped = runs.last_with(lake, name, "mapped")
    checked = runs.last_with(lake, name, "checked")
    shown = mapped.run_id if mapped else newest
    declared = cdm_source_row(lake, buckets, versions) if buckets else {}
    about = " ".join(str(declared.get(key) or "") for key in ("cdm_source_name", "source_description", "cdm_holder"))
    events = mapped.events["mapped"] if mapped else {}
    return SourceFacts(
        name=name,
        label=str(declared.get("cdm_source_name") or name),
        description=str(declared.get("source_description") or ""),
        holder=str(declared.get("cdm_holder") or ""),
        synthetic=bool(SYNTHETIC.search(about)),
        newest=_run(newest, mine),
        run=_run(shown, mine),
        accounts=_accounts(lake, name) if mapped else (),
        quarantine=_quarantine(ops.read(lake, "quarantine", shown)) if shown else (),
        vocabularies=_vocabularies(ops.read(lake, "mapping_gap", shown), events.get("codes") or {}) if mapped else (),
        gaps=_gaps(ops.read(lake, "mapping_gap", shown)) if mapped else (),
        cdm=collect_tables(lake, sorted(events.get("tables", {})), buckets, versions)
        if buckets and mapped
        else CdmFacts(),
        checks=_checks(ops.read(lake, "quality", checked.run_id)) if checked else (),
        checked=checked is not None,
        assessment=collect_assessment(lake, name) if checked else Assessment(),
    )


def _run(run_id: str | None, recorded: Sequence[Row]) -> RunFacts | None:
    rows = [row for row in recorded if row["run_id"] == run_id]
    if run_id is None or not rows:
        return None
    details = {row["event"]: json.loads(row["details"]) for row in rows}
    begun, mapped = details.get("started", {}), details.get("mapped", {})
    return RunFacts(
        run_id=run_id,
        started_at=rows[0]["at"],
        ended_at=rows[-1]["at"],
        engine=str(begun.get("engine", "")),
        version=str(begun.get("passerelle", "")),
        vocabulary=str(mapped.get("vocabulary", "")),
        steps=[Step(row["event"], row["at"], row["seconds"]) for row in rows if row["event"] != "started"],
        complete=runs.COMPLETE in details,
        unchanged=bool(mapped.get("unchanged")),
        settings=_settings(begun.get("settings", {})),
    )


def _settings(settings: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    """What a person chose; a URL without its password."""
    return [
        (name, _PASSWORD.sub(r"\1:***", str(setting.get("value"))), str(setting.get("origin")))
        for name, setting in sorted(settings.items())
        if setting.get("origin") != "default"
    ]


def _accounts(lake: Lake, source: str) -> list[Account]:
    return [
        Account(
            entry["source_table"],
            entry["read"],
            {outcome: entry[outcome] for outcome in OUTCOMES},
            [
                RuleCount(entry["source_table"], outcome, rule, rows)
                for outcome in OUTCOMES
                for rule, rows in sorted(entry["rules"].get(outcome, {}).items(), key=lambda item: (-item[1], item[0]))
            ],
        )
        for entry in ledger(lake, source)
    ]


def _quarantine(rows: list[Row]) -> list[QuarantineGroup]:
    def kind(row: Row) -> tuple[str, str, str, bool]:
        return row["source_table"], row["step"] or "extract", row["reason"], bool(row["whole_row"])

    groups = []
    for (table, step, reason, whole_row), entries in groupby(sorted(rows, key=kind), key=kind):
        found = list(entries)
        lines = sorted({row["line"] for row in found if row["line"] is not None})
        hashes = [row["key_hash"] for row in found if row["key_hash"] is not None]
        groups.append(QuarantineGroup(table, step, reason, whole_row, len(found), lines[:EXAMPLES], hashes[:EXAMPLES]))
    return sorted(groups, key=lambda group: (not group.whole_row, -group.rows, group.table, group.reason))


def _vocabularies(rows: list[Row], recorded: dict[str, Any]) -> list[VocabularyGaps]:
    """One line a source vocabulary.

    Args:
        recorded: vocabulary → ``{"rows": occurrences of its codes}``, where the run wrote it down.
    """
    found = []
    for name in sorted({row["vocabulary"] for row in rows} | set(recorded)):
        here = [row for row in rows if row["vocabulary"] == name]
        lost = [row for row in here if row["reason"] not in RESERVATIONS]
        total = (recorded.get(name) or {}).get("rows")
        codes = len({row["code"] for row in lost})
        noted = sum(row["rows"] for row in here) - (rows_lost := sum(row["rows"] for row in lost))
        found.append(VocabularyGaps(name, codes, rows_lost, noted, total))
    return sorted(found, key=lambda gaps: (-gaps.rows_lost, -gaps.rows_noted, gaps.vocabulary))


def _gaps(rows: list[Row]) -> list[Gap]:
    """The most frequent codes that have no concept: the work list of whoever maps."""
    codes: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row["reason"] not in RESERVATIONS:
            codes.setdefault((row["vocabulary"], row["code"], row["reason"]), []).append(row)
    found = [
        Gap(
            vocabulary,
            _short(code),
            _short(max((row["label"] or "" for row in uses), key=len)),
            reason,
            ", ".join(sorted({f"{row['mapping']} ({row['field']})" for row in uses})),
            sum(row["rows"] for row in uses),
        )
        for (vocabulary, code, reason), uses in codes.items()
    ]
    return sorted(found, key=lambda gap: (-gap.rows, gap.vocabulary, gap.code))[:TOP_GAPS]


def _short(text: str | None) -> str:
    clean = " ".join((text or "").split())
    return clean if len(clean) <= LABEL_LENGTH else clean[: LABEL_LENGTH - 1] + "…"


def _checks(rows: list[Row]) -> list[QualityCheck]:
    return [
        QualityCheck(
            row["check"],
            row["cdm_table"],
            row["cdm_field"] or "",
            row["violated"],
            row["rows"],
            row["threshold"] or 0.0,
            row["status"],
            row["severity"],
            row.get("concept_id") or "",
            row.get("reason") or "",
        )
        for row in rows
        if row["check"] not in COMPARISONS
    ]
