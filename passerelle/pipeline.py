"""The steps of a run: extract, map, check, publish. Each is one command, one task, one function that a test calls."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from etl.cdm_rows import Frame
from etl.compiler import CompiledSource, compile_source
from etl.crosswalk import Crosswalk
from etl.declaration import SourceKind, source_folder
from etl.identity import Secrets, secrets_from
from etl.scaffold.decisions import refuse_undecided
from omop.lake import Lake, is_delta
from omop.quality.results import STATUSES
from omop.snapshot import published_versions
from passerelle import __version__, runs
from passerelle.accounts import carry_forward, record_landing, record_mapping
from passerelle.errors import TerminalError, UsageError
from passerelle.quality import assess
from passerelle.settings import Settings, origin_of, shown
from passerelle.unfinished import PROVENANCE, back_to_what_readers_see, still_stands
from passerelle.vocabulary import load_release
from passerelle.workspace import Workspace
from spark_jobs import ops
from spark_jobs.delta import Buckets, table_version
from spark_jobs.derive_eras import derive_eras
from spark_jobs.derive_periods import derive_observation_periods, write_cdm_source
from spark_jobs.engine import Engine, open_engine
from spark_jobs.land import Door, Landed, land_table, landing_order, open_source
from spark_jobs.load_vocabulary import SHIPPED
from spark_jobs.map_tables import VOCABULARY_TABLES, MapRun, map_source
from spark_jobs.materialise_views import materialise_views
from spark_jobs.ops import Quarantined


@dataclass
class Job:
    """One invocation: the settings, the source, the workspace, the engine that opens when it is first needed."""

    settings: Settings
    compiled: CompiledSource
    workspace: Workspace
    secrets: Secrets
    run: runs.Run
    frame: Frame
    with_vocabulary: bool = True
    progress: Callable[[str], None] = lambda _: None
    warnings: list[str] = field(default_factory=list)
    _engine: Engine | None = None

    @property
    def lake(self) -> Lake:
        return self.workspace.lake

    @property
    def engine(self) -> Engine:
        assert self._engine is not None
        return self._engine

    @property
    def buckets(self) -> Buckets:
        return Buckets(self.frame.first_bucket, self.frame.first_bucket + self.frame.buckets)

    @property
    def staging(self) -> Path:
        return self.lake.staging(self.run.run_id)

    @property
    def crosswalk(self) -> Crosswalk:
        return Crosswalk(self.lake.identity, self.secrets.crosswalk)


@contextmanager
def open_job(
    settings: Settings,
    source: str,
    *,
    resume: bool = False,
    continue_run: bool = False,
    with_vocabulary: bool = True,
    progress: Callable[[str], None] = lambda _: None,
    flags: dict[str, Any] | None = None,
) -> Iterator[Job]:
    """Hold the workspace, begin or resume a run, open the engine.

    Args:
        resume: go on with the interrupted run; finished steps are not done again.
        continue_run: add a step (map, check, publish alone) to the newest run.
    """
    compiled = compile_source(source_folder(source))
    refuse_undecided(compiled.folder)
    name = compiled.source.name
    secrets, origin = secrets_from(settings)
    workspace = Workspace(settings.workspace)
    workspace.refuse_unwritable(settings.engine)
    with workspace.locked():
        first, buckets = workspace.admit(name, buckets=settings.buckets, secrets=secrets.fingerprint)
        newest = runs.load(workspace.lake, name)[-1:] if continue_run else []
        if resume:
            run = runs.resume(workspace.lake, name)
        elif newest and runs.COMPLETE not in newest[0].events:
            run = newest[0]
        else:
            _clean_staging(workspace.root)
            run = runs.begin(workspace.lake, name, **_facts(settings, flags or {}, origin, with_vocabulary))
        frame = Frame(name, compiled.source.timezone, secrets.engine_salt(name), first, buckets)
        if resume:
            with_vocabulary = with_vocabulary and run.events["started"]["vocabulary"]
        job = Job(settings, compiled, workspace, secrets, run, frame, with_vocabulary, progress)
        with open_engine(
            settings.engine, jars=settings.jars, warehouse=workspace.root / "staging" / "warehouse"
        ) as engine:
            job._engine = engine
            yield job


def _facts(settings: Settings, flags: dict[str, Any], keys: str, with_vocabulary: bool) -> dict[str, Any]:
    """What a later reader of the run wants to know: versions, settings and where each came from; no secret."""
    used = {
        name: {"value": str(shown(settings, name)), "origin": origin_of(name, flags)}
        for name in type(settings).model_fields
    }
    return {
        "passerelle": __version__,
        "engine": settings.engine,
        "keys": keys,
        "settings": used,
        "vocabulary": with_vocabulary,
    }


def _clean_staging(root: Path) -> None:
    """Remove what an abandoned run left; a resumed run keeps its own."""
    shutil.rmtree(root / "staging", ignore_errors=True)


# --- extract -------------------------------------------------------------------------------------------------------


def extract(job: Job, location: str) -> dict[str, Any]:
    """Land every table of the source in bronze."""
    if (done := job.run.done("extracted")) is not None:
        return done
    previous = runs.last_with(job.lake, job.frame.source, "extracted")
    landings = previous.events["extracted"]["tables"] if previous else {}
    known = {name: (facts["fingerprint"], facts["version"]) for name, facts in landings.items()}
    door = Door(job.compiled.source, job.secrets, job.crosswalk, job.engine, job.lake, job.staging)
    with job.run.step("extracted") as details:
        tables: dict[str, Any] = {}
        set_aside: list[Quarantined] = []
        with open_source(job.compiled.source, location) as opened:
            for name in landing_order(job.compiled.source):
                job.progress(f"landing {name}")
                landed = land_table(door, opened, name, known)
                set_aside += landed.quarantined
                tables[name] = _landed(landed)
            for landed in opened.aside():
                set_aside += landed.quarantined
                tables[landed.table] = _landed(landed)
        record_landing(job.run, set_aside)
        details["tables"] = tables
    return job.run.events["extracted"]


def _landed(landed: Landed) -> dict[str, Any]:
    return {
        "read": landed.read,
        "landed": landed.landed,
        "merged": landed.merged,
        "excluded": landed.excluded,
        "quarantined": landed.quarantined_rows,
        "version": landed.version,
        "fingerprint": landed.fingerprint,
    }


# --- map -----------------------------------------------------------------------------------------------------------


def map_tables(job: Job) -> dict[str, Any]:
    """Map bronze into OMOP; a run whose inputs are those of the last published one changes nothing."""
    done = job.run.done("mapped")
    if done is not None and still_stands(job.lake, done):
        return done
    extracted = job.run.done("extracted")
    if extracted is None:
        raise UsageError(
            f"nothing was extracted for {job.frame.source} in this run",
            do=f"passerelle extract {job.frame.source} first",
        )
    back_to_what_readers_see(job.lake, job.run.run_id)
    release = _ensure_vocabulary(job)
    inputs = _inputs(job, extracted, release)
    previous = runs.last_with(job.lake, job.frame.source, "published")
    with job.run.step("mapped") as details:
        details |= {"inputs": inputs, "vocabulary": release}
        if previous is not None and previous.events["mapped"]["inputs"] == inputs:
            details |= {"unchanged": True, **{k: previous.events["mapped"].get(k) for k in ("tables", "codes", "eras")}}
            carry_forward(job.run, previous.run_id)
        else:
            details |= {"unchanged": False, **_map_all(job, extracted, release)}
    return job.run.events["mapped"]


def _ensure_vocabulary(job: Job) -> str:
    """The release that stands in the workspace; the shipped one is loaded where there is none."""
    if not job.with_vocabulary:
        return "none"
    loaded = runs.last_with(job.lake, "vocabulary", "loaded")
    if loaded is None:
        job.progress("loading the shipped vocabulary")
        return load_release(job.engine, job.lake, SHIPPED, accepted=True).release
    release: str = loaded.events["loaded"]["release"]
    return release


def _inputs(job: Job, extracted: dict[str, Any], release: str) -> str:
    """A hash of everything that the CDM tables depend on."""
    vocabulary = {n: table_version(job.lake.omop(n)) for n in VOCABULARY_TABLES} if job.with_vocabulary else {}
    facts = {
        "bronze": {name: facts["fingerprint"] for name, facts in extracted["tables"].items()},
        "mappings": [(m.name, m.sql, m.policy.model_dump()) for m in job.compiled.mappings],
        "source": job.compiled.source.model_dump(mode="json"),
        "maps": [p.read_text() for p in sorted((job.compiled.folder / "concept_maps").glob("*.csv"))],
        "release": [release, vocabulary],
        "code": __version__,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _map_all(job: Job, extracted: dict[str, Any], release: str) -> dict[str, Any]:
    versions = {name: facts["version"] for name, facts in extracted["tables"].items()}
    run = MapRun(
        job.engine, job.lake, job.staging, job.compiled, job.frame, versions, job.crosswalk, job.with_vocabulary
    )
    outcome = map_source(run, job.progress)
    job.progress("deriving observation periods")
    receipts = {
        "observation_period": derive_observation_periods(job.engine, job.lake, job.frame, job.buckets),
        "cdm_source": write_cdm_source(
            job.engine,
            job.lake,
            job.compiled.source,
            job.frame,
            job.buckets,
            on=date.fromisoformat(job.run.day),
            vocabulary=release,
            version=__version__,
        ),
    }
    job.progress("deriving eras")
    eras = derive_eras(job.engine, job.lake, job.frame, job.buckets, job.staging)
    receipts |= eras.receipts
    tables = {t.table: {"rows": t.rows, "version": t.version, "seconds": round(t.seconds, 3)} for t in outcome.tables}
    tables |= {
        name: {"rows": receipt.rows, "version": receipt.version, "seconds": 0.0} for name, receipt in receipts.items()
    }
    record_mapping(job.run, extracted["tables"], outcome)
    return {"tables": tables, "codes": outcome.codes, "eras": eras.left_out}


# --- check ---------------------------------------------------------------------------------------------------------


def check(job: Job) -> dict[str, Any]:
    """Run the quality checks; a fatal one that fails stops the run before anything is published."""
    if (done := job.run.done("checked")) is not None:
        return done
    mapped = _mapped(job)
    with job.run.step("checked") as details:
        job.progress("checking quality")
        results, facts = assess(job, mapped)
        details.update(facts, **{status: sum(r["status"] == status for r in results) for status in STATUSES})
        fatal = [r for r in results if r["status"] == "failed" and r["severity"] == "fatal"]
        if fatal:  # the step did not end: it is not recorded, so a resumed run checks again
            worst = fatal[0]
            raise TerminalError(
                f"{len(fatal)} fatal quality check(s) failed; nothing is published",
                looked=f"{worst['check']} on {worst['cdm_table']}.{worst['cdm_field']}: "
                f"{worst['violated']} of {worst['rows']} rows",
                do=f"passerelle quality --workspace {job.workspace.root}; correct the mapping, then run again",
            )
    return job.run.events["checked"]


def _mapped(job: Job) -> dict[str, Any]:
    """What this run mapped; mapped again where another run has undone it."""
    mapped = _needs(job, "mapped")
    job.with_vocabulary = job.with_vocabulary and mapped["vocabulary"] != "none"
    return map_tables(job)


def _needs(job: Job, step: str) -> dict[str, Any]:
    done = job.run.done(step)
    if done is None:
        raise UsageError(f"this run has not {step} {job.frame.source} yet", do=f"passerelle run {job.frame.source}")
    return done


# --- publish -------------------------------------------------------------------------------------------------------


def publish(job: Job) -> dict[str, Any]:
    """Write the views, then the snapshot: only now do readers see this run. Then, if one is set, PostgreSQL."""
    if (done := job.run.done("published")) is not None:
        return done
    _needs(job, "checked")
    mapped = _mapped(job)
    check(job)
    previous = runs.last_with(job.lake, job.frame.source, "published")
    with job.run.step("published") as details:
        if mapped["unchanged"] and previous is not None:
            details |= {"views": previous.events["published"]["views"], "unchanged": True}
            versions = published_versions(job.lake)
        else:
            job.progress("writing the views")
            views = materialise_views(job.engine, job.lake, job.staging)
            details |= {"views": views, "unchanged": False}
            versions = _versions(job, mapped, views)
        _write_snapshot(job, versions)
        if job.settings.warehouse_dsn is not None:
            details["warehouse"] = _publish_warehouse(job)
    _clean_staging(job.workspace.root)
    return job.run.events["published"]


def _versions(job: Job, mapped: dict[str, Any], views: dict[str, Any]) -> dict[str, int]:
    vocabulary = [name for name in VOCABULARY_TABLES if is_delta(job.lake.omop(name))]
    versions = published_versions(job.lake)
    versions |= {f"omop.{name}": table_version(job.lake.omop(name)) for name in vocabulary}
    versions |= {f"omop.{name}": facts["version"] for name, facts in mapped["tables"].items()}
    versions[PROVENANCE] = table_version(job.lake.ops("provenance"))
    return versions | {f"views_v1.{name}": facts["version"] for name, facts in views.items()}


def _write_snapshot(job: Job, versions: dict[str, int]) -> None:
    now = datetime.now(UTC)
    rows = [
        {"run_id": job.run.run_id, "source": job.frame.source, "table": table, "version": version, "created_at": now}
        for table, version in sorted(versions.items())
    ]
    ops.append(job.lake, "snapshot", rows)


def _publish_warehouse(job: Job) -> dict[str, Any]:
    from omop.publication import publish as publish_to

    job.progress("publishing to PostgreSQL")
    assert job.settings.warehouse_dsn is not None
    return dict(publish_to(job.settings.warehouse_dsn.get_secret_value(), job.lake))


# --- all -----------------------------------------------------------------------------------------------------------


def location_of(compiled: CompiledSource, settings: Settings, given: str | None) -> str:
    """Where a source is read from: --input, else the database of the settings."""
    if given:
        return given
    if compiled.source.kind is SourceKind.POSTGRESQL and settings.source_dsn is not None:
        return settings.source_dsn.get_secret_value()
    raise UsageError(
        f"{compiled.source.name} needs to know where it is read from",
        looked="--input, PASSERELLE_SOURCE_DSN, passerelle.yaml",
        do="give --input DIR (files, FHIR) or --input postgresql://… (database)",
    )


def run_all(job: Job, location: str) -> dict[str, Any]:
    """Extract, map, check and publish."""
    return {
        "run_id": job.run.run_id,
        "source": job.frame.source,
        "extract": extract(job, location),
        "map": map_tables(job),
        "check": check(job),
        "publish": publish(job),
    }
