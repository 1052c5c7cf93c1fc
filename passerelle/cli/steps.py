"""run, and its steps alone: extract, map, check, publish."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import (
    DryRunOption,
    EngineOption,
    InputOption,
    JsonOption,
    VerboseOption,
    WorkspaceOption,
    examples,
    progress,
    settings_of,
    show,
)

SourceArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="name of a source, or the path of its folder")]
OptionalSourceArgument = Annotated[
    str | None, typer.Argument(metavar="[SOURCE]", help="name of a source, or the path of its folder; default: all")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="go on with the interrupted run")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        help="files: they hold what changed since then, not everything; database: read again what changed since then",
    ),
]
FullOption = Annotated[
    bool, typer.Option("--full", help="read every row again, also where a change column says that it is known")
]
NoVocabularyOption = Annotated[
    bool, typer.Option("--no-vocabulary", help="map without any vocabulary: concept 0, all gaps listed")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run", epilog=examples(
        "passerelle run mimic_iv --input mimic-iv-demo/csv --workspace W      everything, from the files to the views",
        "passerelle run chu_demo --input postgresql://… --workspace W         the same from a database",
        "passerelle run mimic_iv --input DIR --workspace W --dry-run          the plan; nothing is written",
        "passerelle run mimic_iv --input DIR --workspace W --resume           go on where it was interrupted",
        "passerelle run mimic_iv --input DIR -w W --since 2025-03-01          the files hold what changed since then",
        "passerelle run mimic_iv --input DIR --workspace W --engine local[2]  on Apache Spark",
    ))(run)  # fmt: skip
    app.command("extract", epilog=examples(
        "passerelle extract mimic_iv --input DIR --workspace W",
        "passerelle extract mimic_iv --input DIR --workspace W --dry-run    the plan: tables, keys, identifiers",
    ))(extract)  # fmt: skip
    app.command("map", epilog=examples(
        "passerelle map mimic_iv --workspace W              map what was extracted",
        "passerelle map mimic_iv --workspace W --dry-run    the plan: tables, mappings, rows",
    ))(map_)  # fmt: skip
    app.command("check", epilog=examples(
        "passerelle check mimic_iv --workspace W                           check what was mapped; show what was found",
        "passerelle check --workspace W --json                             of every source of the workspace",
        "passerelle check mimic_iv --workspace W --dqd-json results.json   for the viewer of the OHDSI dashboard",
    ))(check)  # fmt: skip
    app.command("publish", epilog=examples(
        "passerelle publish mimic_iv --workspace W",
        "passerelle publish mimic_iv --workspace W --to postgresql://…    OMOP and views, for readers of a database",
        "passerelle publish mimic_iv --workspace W --to views.duckdb      one file that a researcher takes away",
        "PASSERELLE_WAREHOUSE_DSN=postgresql://… passerelle publish mimic_iv --workspace W    after every run",
    ))(publish)  # fmt: skip


def run(
    source: SourceArgument,
    input: InputOption = None,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    since: SinceOption = None,
    full: FullOption = False,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    no_vocabulary: NoVocabularyOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Bring SOURCE into OMOP: extract, map, check, publish; every row accounted for."""
    from passerelle import pipeline
    from passerelle.plan import plan_of
    from spark_jobs.land import Delivery

    flags = {"workspace": workspace, "engine": engine}
    settings = settings_of(**flags)
    if dry_run:
        plan = plan_of(settings, source, input)
        show(plan.as_json(), json, plan.as_text)
        return
    with (
        progress() as report,
        pipeline.open_job(
            settings,
            source,
            resume=resume,
            with_vocabulary=not no_vocabulary,
            delivery=Delivery(full, since),
            progress=report,
            flags=flags,
        ) as job,
    ):
        result = pipeline.run_all(job, pipeline.location_of(job.compiled, settings, input))
    show(result, json, lambda: _summary(result, settings.workspace))


def extract(
    source: SourceArgument,
    input: InputOption = None,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    since: SinceOption = None,
    full: FullOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Land the tables of SOURCE in bronze: pseudonymised at the door, typed; what cannot be read is set aside."""
    from passerelle import pipeline
    from passerelle.plan import plan_of
    from spark_jobs.land import Delivery

    flags = {"workspace": workspace, "engine": engine}
    settings = settings_of(**flags)
    if dry_run:
        plan = plan_of(settings, source, input, steps=("extract",))
        show(plan.as_json(), json, plan.as_text)
        return
    delivery = Delivery(full, since)
    with (
        progress() as report,
        pipeline.open_job(settings, source, delivery=delivery, progress=report, flags=flags) as job,
    ):
        result = pipeline.extract(job, pipeline.location_of(job.compiled, settings, input))
    rows = sum(facts["read"] for facts in result["tables"].values())
    show(result, json, lambda: f"{rows} rows of {len(result['tables'])} tables read")


def map_(
    source: SourceArgument,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    dry_run: DryRunOption = False,
    no_vocabulary: NoVocabularyOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Map the bronze tables of SOURCE into OMOP, balance the counts, write the ledger."""
    from passerelle import pipeline
    from passerelle.plan import plan_of

    if dry_run:
        plan = plan_of(settings_of(workspace=workspace, engine=engine), source, None, steps=("map",))
        show(plan.as_json(), json, plan.as_text)
        return
    result = _one_step(source, workspace, engine, pipeline.map_tables, with_vocabulary=not no_vocabulary)
    show(
        result,
        json,
        lambda: f"{sum(t['rows'] for t in result['tables'].values())} rows in {len(result['tables'])} tables",
    )


def check(
    source: OptionalSourceArgument = None,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    dqd_json: Annotated[
        Path | None, typer.Option("--dqd-json", help="write the results for the viewer of the OHDSI dashboard")
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what the data are worth: quality, reconciliation, coverage, conformance. Checks what is not checked yet.

    A fatal check that fails stops the run: nothing is published.
    """
    from passerelle import findings, pipeline

    lake = findings.lake_of(settings_of(workspace=workspace, engine=engine))
    if source is not None and findings.is_due(lake, source):
        _one_step(source, workspace, engine, pipeline.check)
    found = findings.read(lake, source)
    if dqd_json is not None:
        findings.write_dashboard(lake, found, dqd_json)
    show([entry.as_json() for entry in found], json, lambda: "\n\n".join(entry.as_text() for entry in found))


def publish(
    source: SourceArgument,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", help="postgresql:// URL or file.duckdb; may be given several times")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="PostgreSQL: send everything, not what differs")] = False,
    with_omop: Annotated[bool, typer.Option("--with-omop", help="DuckDB: the CDM tables beside the views")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write the views and the snapshot: only now do readers see the run. Then the places of --to, or the warehouse."""
    from omop.lake import Lake
    from passerelle import pipeline, publication

    settings = settings_of(workspace=workspace, engine=engine)
    lake = Lake(settings.workspace)
    result: dict[str, Any] = {}
    if not (to and publication.is_published(lake, source)):
        result = _one_step(source, workspace, engine, pipeline.publish)
    with progress() as report:
        sent = [publication.send(lake, place, whole=whole, with_omop=with_omop, progress=report) for place in to or ()]
    show({**result, "sent": sent}, json, lambda: _published(result, sent))


def _published(result: dict[str, Any], sent: list[dict[str, Any]]) -> str:
    lines = [f"{len(result['views'])} views published"] if result else []
    for place in sent:
        rows = sum(place["travelled"].values()) if "travelled" in place else sum(place["views"].values())
        lines.append(f"{place['to']}: snapshot {place['snapshot']}, {len(place['views'])} views, {rows} rows sent")
    return "\n".join(lines)


def _one_step(source: str, workspace: Any, engine: Any, step: Any, *, with_vocabulary: bool = True) -> dict[str, Any]:
    from passerelle import pipeline

    flags = {"workspace": workspace, "engine": engine}
    settings = settings_of(**flags)
    with (
        progress() as report,
        pipeline.open_job(
            settings, source, continue_run=True, with_vocabulary=with_vocabulary, progress=report, flags=flags
        ) as job,
    ):
        result: dict[str, Any] = step(job)
    return result


def _summary(result: dict[str, Any], workspace: Any) -> str:
    read = sum(facts["read"] for facts in result["extract"]["tables"].values())
    rows = sum(facts["rows"] for facts in result["map"]["tables"].values())
    unchanged = " (nothing changed since the last run)" if result["map"]["unchanged"] else ""
    checks = result["check"]
    return (
        f"run {result['run_id']}: {read} source rows → {rows} OMOP rows in "
        f"{len(result['map']['tables'])} tables{unchanged}\n"
        f"quality: {checks['passed']} passed, {checks['failed']} failed, {checks['not evaluated']} not evaluated\n"
        f"next: passerelle ledger --workspace {workspace}   ·   passerelle report --workspace {workspace}"
    )
