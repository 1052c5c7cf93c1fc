"""What a run is worth: quality checks, reconciliation with the source, coverage, conformance; all kept in ``ops``."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from omop.cdm import CDM_VERSION, cdm_tables
from omop.lake import is_delta
from omop.quality import conformance as guide
from omop.quality.identifier_shapes import identifiers_query, read_identifiers
from omop.quality.results import Thresholds, load_thresholds
from omop.quality.socle import CROSSWALK, attributes_of, codes_of, items
from passerelle import __version__, runs
from passerelle.accounts import record_findings, record_quality
from passerelle.residue import remaining
from spark_jobs import ops
from spark_jobs.bronze import states_of
from spark_jobs.check_quality import Rows, check_tables
from spark_jobs.delta import rows_in, table_version
from spark_jobs.measure_coverage import measure_coverage
from spark_jobs.reconcile import reconcile
from spark_jobs.sides import MapRun

if TYPE_CHECKING:
    from passerelle.pipeline import Job

Found = list[dict[str, Any]]
VOCABULARY = tuple(name for name, table in cdm_tables().items() if table.schema == "VOCAB")
ALL_STAYS = "visit_occurrence"
SIGNED = ("quality.yaml", "reconcile.yaml", "socle.csv", "README.md")  # files of a source that the results depend on


def assess(job: "Job", mapped: Mapping[str, Any]) -> tuple[Found, dict[str, Any]]:
    """Compute and keep everything that is said of a run's quality.

    Returns: quality checks and reconciliations; and what the run notes of them (versions, basis, guide).
    """
    basis = _basis(job)
    if stands := _that_still_stands(job, mapped, basis):
        record_quality(job.run, stands)
        return stands, {"basis": basis, "vocabulary": _vocabulary_versions(job), "guide": guide.GUIDE}
    rows = Rows(job.engine, job.lake, job.buckets)
    results = _quality_of(job, rows, mapped) + _reconciled(job, rows, mapped)
    job.progress("searching for identifiers that remain")
    results += remaining(job.lake, job.crosswalk, job.frame.source, job.buckets)
    record_quality(job.run, results)
    job.progress("measuring coverage")
    coverage = measure_coverage(job.engine, rows, codes_of(job.compiled.folder))
    record_findings(job.run, "coverage", coverage)
    record_findings(job.run, "socle", _socle(job, coverage))
    record_findings(job.run, "conformance", guide.conformance(_facts(job, rows, mapped, results)))
    return results, {"basis": basis, "vocabulary": _vocabulary_versions(job), "guide": guide.GUIDE}


def _basis(job: "Job") -> str:
    """A hash of what the results depend on beside the data: what the source signs, and our version."""
    texts = [path.read_text(encoding="utf-8") for name in SIGNED if (path := job.compiled.folder / name).exists()]
    return hashlib.sha256("\n".join([__version__, *texts]).encode()).hexdigest()


def _that_still_stands(job: "Job", mapped: Mapping[str, Any], basis: str) -> Found:
    """Results of the last complete run, where neither the data nor the rules have changed since."""
    last = runs.last_with(job.lake, job.frame.source, runs.COMPLETE)
    if not mapped.get("unchanged") or last is None or last.events["checked"].get("basis") != basis:
        return []
    return ops.read(job.lake, "quality", last.run_id)


# --- Checks and reconciliation -------------------------------------------------------------------------------------


def _vocabulary_versions(job: "Job") -> dict[str, int]:
    present = [name for name in VOCABULARY if job.with_vocabulary and is_delta(job.lake.omop(name))]
    return {name: table_version(job.lake.omop(name)) for name in present}


def _quality_of(job: "Job", rows: Rows, mapped: Mapping[str, Any]) -> Found:
    """The result of every check of the OHDSI list.

    The vocabulary is large and seldom changes: while its tables are those of the last check, their results stand.
    """
    versions = _vocabulary_versions(job)
    last = runs.last_with(job.lake, job.frame.source, "checked")
    known: Found = []
    if last is not None and last.events["checked"].get("vocabulary") == versions:
        known = [row for row in ops.read(job.lake, "quality", last.run_id) if row["cdm_table"] in versions]
    asked = [*mapped["tables"], *([] if known else versions)]
    results = check_tables(job.engine, rows, asked, date.fromisoformat(job.run.day), site_thresholds(job))
    stand = {row["cdm_table"] for row in known}
    return [row for row in results if row["cdm_table"] not in stand] + known


def site_thresholds(job: "Job") -> Thresholds | None:
    """Thresholds that the source signs (``quality.yaml``), each with reason, author and date."""
    path = job.compiled.folder / "quality.yaml"
    return load_thresholds(path) if path.exists() else None


def _reconciled(job: "Job", rows: Rows, mapped: Mapping[str, Any]) -> Found:
    extracted = job.run.done("extracted") or {"tables": {}}
    bronze = states_of(extracted["tables"])
    run = MapRun(job.engine, job.lake, job.staging, job.compiled, job.frame, bronze, job.crosswalk, job.with_vocabulary)
    written = {name: facts["rows"] for name, facts in mapped["tables"].items()}
    return reconcile(run, rows, ops.read(job.lake, "ledger", job.run.run_id), written)


# --- Socle commun --------------------------------------------------------------------------------------------------


def _socle(job: "Job", coverage: Sequence[Mapping[str, Any]]) -> Found:
    """Each of the 51 items: how many stays have it, or persons for what only the crosswalk knows."""
    stays: Counter[str] = Counter()
    for row in coverage:
        stays[row["key"]] += row["stays"]
    attributes = job.crosswalk.counts(job.frame.source)
    persons = rows_in(job.lake.omop("person"), job.buckets)
    found = []
    for number, item in items().items():
        identity = item.table == CROSSWALK
        having = attributes_of(item, attributes) if identity else stays[number]
        of, unit = (persons, "persons") if identity else (stays[ALL_STAYS], "stays")
        status = "present" if having else "absent"
        if item.codes and not job.with_vocabulary:
            status = "not evaluated"
        elif not having and item.condition and _is_given_otherwise(number, stays, attributes):
            status = "not needed"
        found.append({"item": number, "status": status, "having": having, "of": of, "unit": unit})
    return found


def _is_given_otherwise(number: str, stays: Mapping[str, int], attributes: Mapping[str, int]) -> bool:
    """Items that are asked only where another is missing."""
    other = {"1.b.2": "1.b.1", "1.a.1": "1.a.2", "1.a.2": "1.a.1"}.get(number)
    if other is None:
        return False
    item = items()[other]
    return bool(attributes_of(item, attributes) if item.table == CROSSWALK else stays[other])


# --- Conformance ---------------------------------------------------------------------------------------------------


def _facts(job: "Job", rows: Rows, mapped: Mapping[str, Any], results: Found) -> guide.Facts:
    source, folder = job.compiled.source, job.compiled.folder
    readme = folder / "README.md"
    ledger = ops.read(job.lake, "ledger", job.run.run_id)
    excluded: Counter[str] = Counter()
    for row in ledger:
        if row["outcome"] == "excluded":
            excluded[row["rule"] or ""] += row["rows"]
    search = identifiers_query(rows.tables, rows)
    return guide.Facts(
        kind=source.kind.value,
        fhir=source.fhir.model_dump() if source.fhir else {},
        timezone=source.timezone,
        identifiers=_identifiers(job),
        readme=readme.read_text(encoding="utf-8") if readme.exists() else "",
        vocabulary=str(mapped["vocabulary"]),
        run={
            "CDM": CDM_VERSION,
            "vocabulary": str(mapped["vocabulary"]),
            "guide": guide.GUIDE,
            "software": f"Passerelle {__version__}",
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        },
        checks=results,
        excluded=excluded,
        gaps=len(ops.read(job.lake, "mapping_gap", job.run.run_id)),
        quarantined=sum(row["rows"] for row in ledger if row["outcome"] == "quarantined"),
        identifiers_found=read_identifiers(job.engine.rows(search), rows.tables) if search else {},
    )


def _identifiers(job: "Job") -> dict[str, str]:
    """Identifier column → how it is handled."""
    found: dict[str, str] = {}
    for name, table in job.compiled.source.tables.items():
        found |= {f"{name}.{column}": "hashed" for column in table.identity_columns}
        found |= {f"{name}.{column}": "crosswalk" for column in table.crosswalk}
        found |= {f"{name}.{column}": "pseudonymised" for column in table.free_text}
    return found
