"""What a run is worth: quality checks, reconciliation with the source, coverage, conformance; all kept in ``ops``."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from omop.cdm import CDM_VERSION, cdm_tables
from omop.lake import is_delta
from omop.quality import conformance as guide
from omop.quality.identifier_shapes import identifiers_query, read_identifiers
from omop.quality.needs import Tables
from omop.quality.results import Thresholds, load_thresholds
from omop.quality.scan import Resolve
from omop.quality.socle import CROSSWALK, attributes_of, codes_of, items
from omop.snapshot import published_versions
from passerelle import __version__, runs
from passerelle.accounts import record_findings, record_quality
from passerelle.residue import remaining
from spark_jobs import ops
from spark_jobs.bronze import states_of
from spark_jobs.check_changes import TouchedRows, check_changes
from spark_jobs.check_quality import Rows, check_tables
from spark_jobs.delta import rows_in, table_version
from spark_jobs.measure_coverage import measure_change_of_coverage, measure_coverage
from spark_jobs.reconcile import reconcile
from spark_jobs.sides import TOUCHED_IDS, MapRun

if TYPE_CHECKING:
    from passerelle.pipeline import Job

Found = list[dict[str, Any]]
VOCABULARY = tuple(name for name, table in cdm_tables().items() if table.schema == "VOCAB")
ALL_STAYS = "visit_occurrence"
IDENTIFIERS = "identifiers_found"  # what a run notes of the search for values shaped like an identifier
SIGNED = ("quality.yaml", "reconcile.yaml", "socle.csv", "README.md")  # files of a source that the results depend on


def assess(job: "Job", mapped: Mapping[str, Any]) -> tuple[Found, dict[str, Any]]:
    """Compute and keep everything that is said of a run's quality.

    Returns: quality checks and reconciliations; and what the run notes of them (versions, basis, guide).
    """
    basis = _basis(job)
    noted: dict[str, Any] = {"basis": basis, "vocabulary": _vocabulary_versions(job), "guide": guide.GUIDE}
    last = _last_with_the_same(job, basis)
    if last is not None and mapped.get("unchanged"):
        results = ops.read(job.lake, "quality", last.run_id)
        record_quality(job.run, results)
        return results, {**noted, IDENTIFIERS: last.events["checked"].get(IDENTIFIERS, {})}
    rows = Rows(job.engine, job.lake, job.buckets)
    change = _change(job, mapped, rows, last) if last is not None else None
    steps = (
        lambda: _quality_of(job, rows, mapped, change),
        lambda: _reconciled(job, rows, mapped),
        lambda: remaining(job.lake, job.crosswalk, job.frame.source, job.buckets),
    )
    results = [result for found in job.engine.at_once(steps) for result in found]
    record_quality(job.run, results)
    job.progress("measuring coverage")
    coverage = _coverage(job, rows, change)
    record_findings(job.run, "coverage", coverage)
    record_findings(job.run, "socle", _socle(job, coverage))
    noted[IDENTIFIERS] = _identifiers_found(job, rows, change)
    facts = _facts(job, mapped, results, noted[IDENTIFIERS])
    record_findings(job.run, "conformance", guide.conformance(facts))
    return results, noted


@dataclass(frozen=True)
class Change:
    """What an increment touched, and the last run, whose counts it adds to."""

    last: runs.Run
    touched: TouchedRows


def _change(job: "Job", mapped: Mapping[str, Any], rows: Rows, last: runs.Run) -> Change | None:
    """None where everything was mapped, or nobody knows any more whom the mapping touched."""
    ids = job.staging / "map" / TOUCHED_IDS
    if not mapped["increment"] or not ids.exists():
        return None
    if any(ids.glob("*.parquet")):
        job.engine.view_of_parquet(TOUCHED_IDS, ids)
    else:
        job.engine.empty_view(TOUCHED_IDS, {"person_id": "bigint"})
    before = published_versions(job.lake)
    return Change(last, TouchedRows(job.engine, job.lake, job.buckets, rows, before, job.staging / "check"))


def _basis(job: "Job") -> str:
    """A hash of what the results depend on beside the data: what the source signs, and our version."""
    texts = [path.read_text(encoding="utf-8") for name in SIGNED if (path := job.compiled.folder / name).exists()]
    return hashlib.sha256("\n".join([__version__, *texts]).encode()).hexdigest()


def _last_with_the_same(job: "Job", basis: str) -> runs.Run | None:
    """The last complete run, where neither the rules nor the vocabulary have changed since."""
    last = runs.last_with(job.lake, job.frame.source, runs.COMPLETE)
    if last is None or last.events["checked"].get("basis") != basis:
        return None
    return last if last.events["checked"].get("vocabulary") == _vocabulary_versions(job) else None


# --- Checks and reconciliation -------------------------------------------------------------------------------------


def _vocabulary_versions(job: "Job") -> dict[str, int]:
    present = [name for name in VOCABULARY if job.with_vocabulary and is_delta(job.lake.omop(name))]
    return {name: table_version(job.lake.omop(name)) for name in present}


def _quality_of(job: "Job", rows: Rows, mapped: Mapping[str, Any], change: Change | None) -> Found:
    """The result of every check of the OHDSI list.

    The vocabulary is large and seldom changes: while its tables are those of the last check, their results stand.
    """
    versions, today, thresholds = _vocabulary_versions(job), date.fromisoformat(job.run.day), site_thresholds(job)
    last = change.last if change else runs.last_with(job.lake, job.frame.source, "checked")
    earlier: Found = []
    if last is not None and last.events["checked"].get("vocabulary") == versions:
        earlier = ops.read(job.lake, "quality", last.run_id)
    known = [row for row in earlier if row["cdm_table"] in versions]
    if change is not None:
        results = check_changes(change.touched, earlier, mapped["tables"], today, thresholds)
    else:
        asked = [*mapped["tables"], *([] if known else versions)]
        results = check_tables(job.engine, rows, asked, today, thresholds)
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


# --- Coverage ------------------------------------------------------------------------------------------------------


def _coverage(job: "Job", rows: Rows, change: Change | None) -> Found:
    codes = codes_of(job.compiled.folder)
    last = _coverage_that_readers_see(job) if change else None
    if change is None or last is None:
        return measure_coverage(job.engine, rows, codes)
    return measure_change_of_coverage(change.touched, codes, last)


def _coverage_that_readers_see(job: "Job") -> Found | None:
    """What was measured of the tables as readers see them; None where a run that nobody sees has measured others."""
    kept = [row for row in ops.read(job.lake, "coverage") if row["source"] == job.frame.source]
    measured = {row["run_id"] for row in kept}
    for run in reversed(runs.load(job.lake, job.frame.source)):
        if runs.COMPLETE not in run.events:
            continue
        if measured == {run.run_id}:
            return kept
        if not run.events["mapped"]["unchanged"]:
            return None
    return None


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


def _identifiers_found(job: "Job", rows: Rows, change: Change | None) -> dict[str, int]:
    """Column → values shaped like an identifier."""
    last = change.last.events["checked"].get(IDENTIFIERS) if change else None
    if change is None or last is None:
        return _shaped(job, rows.tables, rows)
    personal = change.touched.tables
    others = {name: columns for name, columns in rows.tables.items() if name not in personal}
    then, now = (_shaped(job, personal, side) for side in (change.touched.then, change.touched.now))
    return {column: last.get(column, 0) + n - then[column] for column, n in now.items()} | _shaped(job, others, rows)


def _shaped(job: "Job", tables: Tables, resolve: Resolve) -> dict[str, int]:
    search = identifiers_query(tables, resolve)
    return dict(read_identifiers(job.engine.rows(search), tables)) if search else {}


def _facts(job: "Job", mapped: Mapping[str, Any], results: Found, identifiers_found: dict[str, int]) -> guide.Facts:
    source, folder = job.compiled.source, job.compiled.folder
    readme = folder / "README.md"
    ledger = ops.read(job.lake, "ledger", job.run.run_id)
    excluded: Counter[str] = Counter()
    for row in ledger:
        if row["outcome"] == "excluded":
            excluded[row["rule"] or ""] += row["rows"]
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
        identifiers_found=identifiers_found,
    )


def _identifiers(job: "Job") -> dict[str, str]:
    """Identifier column → how it is handled."""
    found: dict[str, str] = {}
    for name, table in job.compiled.source.tables.items():
        found |= {f"{name}.{column}": "hashed" for column in table.identity_columns}
        found |= {f"{name}.{column}": "crosswalk" for column in table.crosswalk}
        found |= {f"{name}.{column}": "pseudonymised" for column in table.free_text}
    return found
