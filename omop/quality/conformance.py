"""The 56 statements of the HL7 FHIR-to-OMOP guide: each passes, fails or does not apply, with the evidence."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, TypeAdapter, model_validator

from omop.cdm import CDM_VERSION

FOLDER = Path(__file__).parent / "fhir_to_omop"
GUIDE = "HL7 FHIR to OMOP 2.0.0-ballot"
PASS, FAIL, NOT_APPLICABLE = "pass", "fail", "not applicable"
LEVELS = {"S": "SHALL", "R": "SHOULD", "M": "MAY"}
Judged = tuple[str, str]  # status, evidence
Row = Mapping[str, Any]


class Judgement(BaseModel, extra="forbid", frozen=True):
    """How one statement is judged: computed, or declared with its evidence."""

    level: Literal["S", "R", "M"]
    asks: str
    fhir: bool = False  # about reading FHIR
    computed: str | None = None
    argument: str = ""
    declared: Literal["pass", "fail", "not applicable"] | None = None
    evidence: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> "Judgement":
        if (self.computed is None) == (self.declared is None) or (self.declared and not self.evidence):
            raise ValueError(f"{self.asks}: either computed, or declared with evidence")
        return self


@dataclass(frozen=True)
class Facts:
    """What the statements are judged from. No row of a patient is in here."""

    kind: str  # of the source: files, postgresql, fhir_r4
    fhir: Mapping[str, Any]  # what its declaration says of FHIR
    timezone: str
    identifiers: Mapping[str, str]  # identifier column → how it is handled
    readme: str
    vocabulary: str  # release; "none"
    run: Mapping[str, str]  # what the run recorded of itself
    checks: Sequence[Row]  # results of the quality checks and reconciliations
    excluded: Mapping[str, int]  # rule → rows left out
    gaps: int  # codes without a concept that are listed
    quarantined: int
    identifiers_found: Mapping[str, int] = field(default_factory=dict)  # column → values shaped like an identifier


@cache
def judgements() -> dict[str, Judgement]:
    """The statements by id, in the guide's order."""
    raw = yaml.safe_load((FOLDER / "judgement.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Judgement]).validate_python(raw)


@cache
def statements() -> dict[str, str]:
    """The guide's own words, by id."""
    with (FOLDER / "REQUIREMENTS.tsv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["text"] for row in csv.DictReader(file, delimiter="\t")}


def conformance(facts: Facts) -> list[dict[str, str]]:
    """One object a statement: ``statement``, ``level``, ``asks``, ``status``, ``evidence``, ``how``."""
    found = []
    for name, judgement in judgements().items():
        status, evidence = _judge(judgement, facts)
        how = "computed" if judgement.computed else "declared"
        level = LEVELS[judgement.level]
        found.append({"statement": name, "level": level, "asks": judgement.asks, "status": status,
                      "evidence": evidence, "how": how})  # fmt: skip
    return found


def _judge(judgement: Judgement, facts: Facts) -> Judged:
    if judgement.fhir and facts.kind != "fhir_r4":
        return NOT_APPLICABLE, f"the source is not FHIR ({facts.kind})"
    if judgement.declared:
        return judgement.declared, judgement.evidence
    return COMPUTED[str(judgement.computed)](facts, judgement.argument)


# --- What is computed ----------------------------------------------------------------------------------------------

Judges = Callable[[Facts, str], Judged]
COMPUTED: dict[str, Judges] = {}


def _computed(judge: Judges) -> Judges:
    COMPUTED[judge.__name__] = judge
    return judge


def _verdict(good: bool, evidence: str) -> Judged:
    return (PASS if good else FAIL), evidence


def _of_checks(facts: Facts, names: Sequence[str], ends: str = "") -> tuple[int, int, int]:
    """Checks that ran, rows that break them, checks that have such rows."""
    here = [
        row
        for row in facts.checks
        if row["check"] in names and (row["cdm_field"] or "").endswith(ends) and row["violated"] is not None
    ]
    return len(here), sum(row["violated"] for row in here), sum(row["violated"] > 0 for row in here)


def _no_violation(facts: Facts, names: Sequence[str], what: str, ends: str = "") -> Judged:
    ran, rows, broken = _of_checks(facts, names, ends)
    if not ran:
        return NOT_APPLICABLE, f"not evaluated: {what}"
    return _verdict(rows == 0, f"{ran} checks ({', '.join(names)}): {rows} rows break {broken} of them; {what}")


@_computed
def conforms_to_cdm(facts: Facts, _: str) -> Judged:
    return _no_violation(facts, ("cdmTable", "cdmField", "cdmDatatype", "isRequired"), f"CDM {CDM_VERSION}")


@_computed
def standard_only(facts: Facts, _: str) -> Judged:
    return _no_violation(facts, ("isStandardValidConcept",), "concepts that this copy of the vocabulary holds")


@_computed
def zero_not_null(facts: Facts, _: str) -> Judged:
    return _no_violation(facts, ("isRequired",), "required concept columns hold no NULL", "_concept_id")


@_computed
def domain_decides(facts: Facts, _: str) -> Judged:
    return _no_violation(facts, ("fkDomain",), "domain of each concept against its table")


@_computed
def type_concepts(facts: Facts, _: str) -> Judged:
    names = ("isRequired", "isForeignKey", "isStandardValidConcept", "standardConceptRecordCompleteness")
    return _no_violation(facts, names, "type concepts", "_type_concept_id")


@_computed
def dates_filled(facts: Facts, _: str) -> Judged:
    return _no_violation(facts, ("isRequired",), "required dates", "_date")


@_computed
def rows_traced(facts: Facts, _: str) -> Judged:
    return _no_violation(facts, ("rowsTraced",), "rows of ops.provenance against rows of each table")


@_computed
def times_kept(facts: Facts, _: str) -> Judged:
    filled = [
        (row["cdm_field"], row["rows"] - row["violated"])
        for row in facts.checks
        if row["check"] == "measureValueCompleteness" and str(row["cdm_field"]).endswith("_datetime") and row["rows"]
    ]
    held = sum(n > 0 for _, n in filled)
    return _verdict(held > 0, f"{held} of {len(filled)} datetime columns of filled tables hold times")


@_computed
def fhir_version(facts: Facts, _: str) -> Judged:
    return _verdict(bool(facts.fhir.get("version")), f"source.yaml: FHIR {facts.fhir.get('version', 'not declared')}")


@_computed
def fhir_profiles(facts: Facts, _: str) -> Judged:
    profiles = facts.fhir.get("profiles") or ()
    return _verdict(bool(profiles), f"source.yaml: {len(profiles)} profiles declared")


@_computed
def readme_says(facts: Facts, wanted: str) -> Judged:
    headings = re.findall(r"^#+\s*(.+)$", facts.readme, re.M)
    found = next((heading for heading in headings if re.search(wanted, heading, re.I)), None)
    return _verdict(found is not None, f"README of the source: {found or 'no section on it'}")


@_computed
def quarantine_recorded(facts: Facts, _: str) -> Judged:
    return PASS, f"rows that cannot be read or placed are set aside with a reason: {facts.quarantined} in this run"


@_computed
def no_identifier_in_source_values(facts: Facts, _: str) -> Judged:
    found = {column: n for column, n in facts.identifiers_found.items() if n}
    told = ", ".join(f"{column} {n}" for column, n in sorted(found.items())) or "none"
    searched = f"{len(facts.identifiers_found)} columns searched for the shape of a NIR, an e-mail or a telephone"
    return _verdict(not found, f"{searched}: {told}")


@_computed
def identifiers_kept_out(facts: Facts, _: str) -> Judged:
    status, told = no_identifier_in_source_values(facts, "")
    kept = sum(how == "crosswalk" for how in facts.identifiers.values())
    return status, f"{kept} direct identifiers go to the encrypted crosswalk only, letters are pseudonymised; {told}"


@_computed
def identifiers_declared(facts: Facts, _: str) -> Judged:
    by_way = Counter(facts.identifiers.values())
    told = ", ".join(f"{n} {way}" for way, n in sorted(by_way.items())) or "none"
    return _verdict(bool(by_way), f"source.yaml: identifier columns by handling: {told}")


@_computed
def vocabulary_used(facts: Facts, _: str) -> Judged:
    ran, _rows, _broken = _of_checks(facts, ("isForeignKey", "isStandardValidConcept", "fkDomain"), "_concept_id")
    there = facts.vocabulary != "none" and ran > 0
    return _verdict(there, f"release {facts.vocabulary}: existence, standard and domain in {ran} checks")


@_computed
def release_recorded(facts: Facts, _: str) -> Judged:
    return _verdict(
        facts.vocabulary not in ("", "none"), f"run ledger: vocabulary {facts.vocabulary or 'not recorded'}"
    )


@_computed
def exclusions_named(facts: Facts, _: str) -> Judged:
    told = ", ".join(f"{rule} {n}" for rule, n in sorted(facts.excluded.items())) or "nothing is left out"
    return _verdict(all(facts.excluded), f"run ledger, by rule: {told}")


@_computed
def gaps_recorded(facts: Facts, _: str) -> Judged:
    return PASS, f"every code that gave concept 0 is listed with a reason (ops.mapping_gap): {facts.gaps} entries"


@_computed
def timezone_stated(facts: Facts, _: str) -> Judged:
    return _verdict(bool(facts.timezone), f"instants in UTC, days of {facts.timezone} (source.yaml)")


@_computed
def run_recorded(facts: Facts, _: str) -> Judged:
    wanted = ("CDM", "vocabulary", "guide", "software", "time")
    told = ", ".join(f"{name} {facts.run.get(name) or 'missing'}" for name in wanted)
    return _verdict(all(facts.run.get(name) for name in wanted), told)


@_computed
def tables_disclosed(facts: Facts, _: str) -> Judged:
    rows = {row["cdm_table"]: row["rows"] or 0 for row in facts.checks if row["check"] == "rowsWritten"}
    full = sorted(table for table, n in rows.items() if n)
    empty = sorted(table for table, n in rows.items() if not n)
    told = f"filled, each as far as its README section says: {', '.join(full)}"
    return _verdict(bool(rows), told + (f"; empty: {', '.join(empty)}" if empty else "") + "; all others: not filled")
