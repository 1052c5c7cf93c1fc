"""The quality of what a run mapped: every check of the OHDSI list, with the thresholds that the source signs."""

from datetime import date
from typing import TYPE_CHECKING, Any

from omop.cdm import cdm_tables
from omop.lake import is_delta
from omop.quality.results import Thresholds, load_thresholds
from passerelle import runs
from spark_jobs import ops
from spark_jobs.check_quality import check_tables
from spark_jobs.delta import table_version

if TYPE_CHECKING:
    from passerelle.pipeline import Job

VOCABULARY = tuple(name for name, table in cdm_tables().items() if table.schema == "VOCAB")


def quality_of(job: "Job", mapped: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The result of every check, and the versions of the vocabulary tables that they hold for.

    The vocabulary is large and seldom changes: while its tables are those of the last check, their results stand.
    """
    present = [name for name in VOCABULARY if job.with_vocabulary and is_delta(job.lake.omop(name))]
    versions = {name: table_version(job.lake.omop(name)) for name in present}
    last = runs.last_with(job.lake, job.frame.source, "checked")
    known: list[dict[str, Any]] = []
    if last is not None and last.events["checked"].get("vocabulary") == versions:
        known = [row for row in ops.read(job.lake, "quality", last.run_id) if row["cdm_table"] in versions]
    asked = [*mapped["tables"], *([] if known else present)]
    day = date.fromisoformat(job.run.day)
    results = check_tables(job.engine, job.lake, asked, job.buckets, day, site_thresholds(job))
    stand = {row["cdm_table"] for row in known}
    return [row for row in results if row["cdm_table"] not in stand] + known, versions


def site_thresholds(job: "Job") -> Thresholds | None:
    """Thresholds that the source signs (``quality.yaml``), each with reason, author and date."""
    path = job.compiled.folder / "quality.yaml"
    return load_thresholds(path) if path.exists() else None
