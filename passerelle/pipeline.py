"""The steps of a run: extract, map, check, publish. Each is one command, one task, one function that a test calls."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from passerelle import __version__, openlineage, runs
from passerelle.accounts import brought_forward, record_landing, record_mapping
from passerelle.errors import TerminalError, UsageError
from passerelle.quality import assess
from passerelle.settings import Settings, origin_of, shown
from passerelle.unfinished import PROVENANCE, back_to_what_readers_see, still_stands
from passerelle.vocabulary import load_release
from passerelle.workspace import Workspace
from spark_jobs import ops
from spark_jobs.bronze import BronzeState, states_of
from spark_jobs.codes import VOCABULARY_TABLES
from spark_jobs.delta import Buckets, rows_in, table_version
from spark_jobs.derive import derive
from spark_jobs.derive_eras import ERA_TABLES
from spark_jobs.derive_periods import DERIVED, write_cdm_source
from spark_jobs.door import Door
from spark_jobs.engine import Engine, open_engine
from spark_jobs.land import Delivery, Landed, land_tables, open_source
from spark_jobs.load_vocabulary import SHIPPED
from spark_jobs.map_accounts import Accounts
from spark_jobs.map_tables import map_source
from spark_jobs.materialise_views import materialise_views
from spark_jobs.ops import Quarantined
from spark_jobs.sides import EverythingChanges, MapRun, belongs_to_everybody
from spark_jobs.write_tables import MappedTable

AS_USUAL = Delivery()
INCREMENT_SHARE = 0.2  # of the rows; where more has changed, mapping everything is quicker


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
    delivery: Delivery = AS_USUAL
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
        return Crosswalk(self.lake.identity, self.secrets.crosswalk, self.secrets.retired)

    @contextmanager
    def step(self, event: str) -> Iterator[dict[str, Any]]:
        """A step of the run: timed, recorded when it ends, and told as lineage."""
        lineage = openlineage.Log(self.workspace, self.run.run_id, self.compiled)
        with lineage.step(event) as told, self.run.step(event) as details:
            yield details
            told.update(details)


@contextmanager
def open_job(
    settings: Settings,
    source: str,
    *,
    resume: bool = False,
    continue_run: bool = False,
    with_vocabulary: bool = True,
    delivery: Delivery = AS_USUAL,
    progress: Callable[[str], None] = lambda _: None,
    flags: dict[str, Any] | None = None,
) -> Iterator[Job]:
    """Hold the workspace, begin or resume a run, open the engine.

    Args:
        resume: go on with the interrupted run; finished steps are not done again.
        continue_run: add a step (map, check, publish alone) to the newest run.
        delivery: what the input holds.
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
            ops.tidy(workspace.lake)
            run = runs.begin(workspace.lake, name, **_facts(settings, flags or {}, origin, with_vocabulary))
        frame = Frame(name, compiled.source.timezone, secrets.engine_salt(name), first, buckets)
        if resume:
            with_vocabulary = with_vocabulary and run.events["started"]["vocabulary"]
        job = Job(settings, compiled, workspace, secrets, run, frame, with_vocabulary, delivery, progress)
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
    published = runs.last_with(job.lake, job.frame.source, "published")
    base = states_of(published.events["extracted"]["tables"]) if published else {}
    door = Door(job.compiled.source, job.secrets, job.crosswalk, job.engine, job.lake, job.staging)
    with job.step("extracted") as details:
        tables: dict[str, Any] = {}
        set_aside: list[Quarantined] = []
        with open_source(job.compiled.source, location) as opened:
            for landed in land_tables(door, opened, base, job.delivery, job.progress):
                set_aside += landed.quarantined
                tables[landed.table] = _landed(landed)
            for landed in opened.aside():
                set_aside += landed.quarantined
                tables[landed.table] = _landed(landed)
        record_landing(job.run, set_aside)
        details["tables"] = tables
    return job.run.events["extracted"]


def _landed(landed: Landed) -> dict[str, Any]:
    return {
        "read": landed.read,
        "merged": landed.merged,
        "excluded": landed.excluded,
        "quarantined": landed.quarantined_rows,
        "bronze": landed.state.as_json() if landed.state else None,
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
    rules, inputs = _rules(job, release), _fingerprint(extracted)
    previous = runs.last_with(job.lake, job.frame.source, "published")
    with job.step("mapped") as details:
        details |= {"rules": rules, "inputs": inputs, "vocabulary": release, "unchanged": False, "increment": False}
        if previous is None or previous.events["mapped"]["rules"] != rules:
            details.update(_map(job, extracted, release, None))
        elif previous.events["mapped"]["inputs"] == inputs:
            kept = {k: previous.events["mapped"].get(k) for k in ("tables", "codes", "eras", "increment")}
            details |= {"unchanged": True, **kept}
            as_before = brought_forward(job.lake, previous, states_of(extracted["tables"]), Accounts(), Accounts())
            record_mapping(job.run, extracted["tables"], as_before)
        else:
            details.update(_map(job, extracted, release, previous))
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


def _rules(job: Job, release: str) -> str:
    """A hash of everything that the CDM tables depend on beside the rows of the source."""
    vocabulary = {n: table_version(job.lake.omop(n)) for n in VOCABULARY_TABLES} if job.with_vocabulary else {}
    facts = {
        "mappings": [(m.name, m.sql, m.policy.model_dump()) for m in job.compiled.mappings],
        "source": job.compiled.source.model_dump(mode="json"),
        "maps": [p.read_text() for p in sorted((job.compiled.folder / "concept_maps").glob("*.csv"))],
        "release": [release, vocabulary],
        "code": __version__,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _fingerprint(extracted: dict[str, Any]) -> dict[str, Any]:
    """Of each table what bronze holds, and what became of the rows that came."""
    accounts = {name: {k: v for k, v in facts.items() if k != "bronze"} for name, facts in extracted["tables"].items()}
    states = states_of(extracted["tables"])
    return {name: [facts, states[name].fingerprint if name in states else None] for name, facts in accounts.items()}


def _map(job: Job, extracted: dict[str, Any], release: str, previous: runs.Run | None) -> dict[str, Any]:
    """Map what differs from an earlier run; everything, where there is none or too much differs."""
    bronze = states_of(extracted["tables"])
    base = states_of(previous.events["extracted"]["tables"]) if previous else None
    if base is not None and not _is_increment(job, bronze, base):
        base = None
    run = MapRun(
        job.engine, job.lake, job.staging, job.compiled, job.frame, bronze, job.crosswalk, job.with_vocabulary, base
    )
    try:
        outcome = map_source(run, job.progress)
    except EverythingChanges as reason:
        job.progress(f"mapping everything: {reason}")
        run = replace(run, base=None)
        outcome = map_source(run, job.progress)
    write_cdm_source(
        job.engine,
        job.lake,
        job.compiled.source,
        job.frame,
        job.buckets,
        on=date.fromisoformat(job.run.day),
        vocabulary=release,
        version=__version__,
    )
    job.progress("deriving observation periods and eras")
    eras = derive(run)
    accounts = outcome.accounts
    if outcome.replaced is not None and previous is not None:
        accounts = brought_forward(job.lake, previous, bronze, accounts, outcome.replaced)
        eras = previous.events["mapped"]["eras"]  # counted when everything was mapped
    record_mapping(job.run, extracted["tables"], accounts)
    return {
        "tables": _tables(job, previous, outcome.tables),
        "codes": accounts.codes,
        "eras": eras,
        "increment": run.base is not None,
    }


def _is_increment(job: Job, bronze: dict[str, BronzeState], base: dict[str, BronzeState]) -> bool:
    """Whether little has changed, and nothing that belongs to everybody."""
    if set(bronze) != set(base) or any(bronze[name].columns != base[name].columns for name in bronze):
        return False
    if any(bronze[name].batch != base[name].batch for name in belongs_to_everybody(job.compiled.source)):
        return False
    changed = sum(bronze[name].changed for name in bronze if bronze[name].batch != base[name].batch)
    return changed <= INCREMENT_SHARE * sum(state.rows for state in bronze.values())


def _tables(job: Job, previous: runs.Run | None, mapped: list[MappedTable]) -> dict[str, Any]:
    """The CDM tables that hold, or held, rows of the source: rows that are meant, version, seconds of the writing."""
    before = previous.events["mapped"]["tables"] if previous else {}
    facts = {written.table: {"rows": written.rows, "seconds": round(written.seconds, 3)} for written in mapped}
    for name in (*DERIVED, *ERA_TABLES):
        facts[name] = {"rows": rows_in(job.lake.omop(name), job.buckets), "seconds": 0.0}
    found = {**{name: {"rows": kept["rows"], "seconds": 0.0} for name, kept in before.items()}, **facts}
    return {name: {**found[name], "version": table_version(job.lake.omop(name))} for name in sorted(found)}


# --- check ---------------------------------------------------------------------------------------------------------


def check(job: Job) -> dict[str, Any]:
    """Run the quality checks; a fatal one that fails stops the run before anything is published."""
    if (done := job.run.done("checked")) is not None:
        return done
    mapped = _mapped(job)
    with job.step("checked") as details:
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
    with job.step("published") as details:
        if mapped["unchanged"] and previous is not None:
            details |= {"views": previous.events["published"]["views"], "unchanged": True}
            versions = published_versions(job.lake)
        else:
            job.progress("writing the views")
            before = previous.events["published"]["views"] if previous else {}
            views = materialise_views(job.engine, job.lake, job.staging, before)
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
