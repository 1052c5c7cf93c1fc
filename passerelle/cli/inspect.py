"""ledger, gaps, quality, explain, lineage, report, settings: what a person looks at. None of them starts an engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import JsonOption, VerboseOption, WorkspaceOption, examples, settings_of, show, table
from passerelle.errors import UsageError

SourceOption = Annotated[str | None, typer.Option("--source", help="only this source")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="how many rows to show (--json gives all)")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ledger", epilog=examples(
        "passerelle ledger --workspace W           what came in, and what became of every row",
        "passerelle ledger --workspace W --json    for machines",
    ))(ledger)  # fmt: skip
    app.command(
        "gaps", epilog=examples("passerelle gaps --workspace W --limit 20    the most frequent codes without a concept")
    )(gaps)
    app.command(
        "quarantine",
        epilog=examples("passerelle quarantine --workspace W    rows set aside: file line or key hash, and why"),
    )(quarantine)
    app.command("quality", epilog=examples(
        "passerelle quality --workspace W                 what failed",
        "passerelle quality --workspace W --all --json    every check",
    ))(quality)  # fmt: skip
    app.command("explain", epilog=examples(
        "passerelle explain measurement 1234567890 --workspace W    from an OMOP row back to its source row",
        "passerelle explain measurement 1234567890 -w W --identity --why \"recall of batch 7\"    and to its patient",
    ))(explain)  # fmt: skip
    app.command("lineage", epilog=examples(
        "passerelle lineage mimic_iv                     a page: which columns of the source fill which of the CDM",
        "passerelle lineage ./our_hospital --out L.md    of a folder of your own, to a file",
        "passerelle lineage mimic_iv --json              for machines",
    ))(lineage)  # fmt: skip
    app.command("report", epilog=examples("passerelle report --workspace W    writes W/report/index.html"))(report)
    app.command("settings", epilog=examples(
        "passerelle settings           each setting, its value and where it comes from",
        "passerelle settings --json",
    ))(settings)  # fmt: skip


def ledger(
    workspace: WorkspaceOption = None,
    source: SourceOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what came in from each source table and what became of every row."""
    from passerelle.ledger import OUTCOMES
    from passerelle.ledger import ledger as read_ledger

    rows = read_ledger(_workspace(workspace).lake, source)
    show(rows, json, lambda: table(rows, ["source", "source_table", "read", *OUTCOMES]))


def gaps(
    workspace: WorkspaceOption = None,
    source: SourceOption = None,
    limit: LimitOption = 30,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show codes without a sure standard concept, the most frequent first, and why (absent, not standard, invalid…)."""
    rows = sorted(_of_last_runs(workspace, source, "mapping_gap"), key=lambda row: -row["rows"])
    columns = ["rows", "vocabulary", "code", "label", "reason", "mapping"]
    show(
        rows, json, lambda: table(rows[:limit], columns) + "\n\n" + table(_by_reason(rows), ["rows", "codes", "reason"])
    )


def _by_reason(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What to do depends on the reason: load a fuller vocabulary, map the code, or leave it."""
    reasons = sorted({row["reason"] for row in rows})
    of = {reason: [row for row in rows if row["reason"] == reason] for reason in reasons}
    counted = [{"rows": sum(r["rows"] for r in of[x]), "codes": len(of[x]), "reason": x} for x in reasons]
    return sorted(counted, key=lambda row: -row["rows"])


def quarantine(
    workspace: WorkspaceOption = None,
    source: SourceOption = None,
    limit: LimitOption = 30,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show rows and values that were set aside: where each stands and why, never what it says."""
    rows = _of_last_runs(workspace, source, "quarantine")
    columns = ["source_table", "line", "key_hash", "step", "reason"]
    show(rows, json, lambda: table(rows[:limit], columns))


def quality(
    workspace: WorkspaceOption = None,
    source: SourceOption = None,
    all: Annotated[bool, typer.Option("--all", help="also what passed or could not be evaluated")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show the quality checks of the last run."""
    rows = _of_last_runs(workspace, source, "quality", step="checked")
    shown = rows if all else [row for row in rows if row["status"] == "failed"]
    columns = ["severity", "check", "cdm_table", "cdm_field", "violated", "rows", "status"]
    show(shown, json, lambda: table(shown, columns))


def explain(
    cdm_table: Annotated[str, typer.Argument(metavar="TABLE", help="CDM table")],
    row_id: Annotated[int, typer.Argument(help="its id")],
    workspace: WorkspaceOption = None,
    identity: Annotated[
        bool, typer.Option("--identity", help="show the hospital's identifiers; needs --why and the secrets; logged")
    ] = False,
    why: Annotated[str | None, typer.Option("--why", help="the reason that the access log keeps")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Lead from an OMOP row back to its source row; on request, for a reason that is logged, to its patient."""
    from passerelle import provenance

    if identity and not (why or "").strip():
        raise UsageError("whoever asks for an identity says why", looked="--why", do='add --why "the reason"')
    opened = _workspace(workspace)
    steps = provenance.way_back(opened, cdm_table, row_id)
    if identity and why is not None:
        crosswalk = _crosswalk(opened.lake.identity, workspace)
        steps["identity"] = provenance.identity(opened.lake, crosswalk, steps["source"], cdm_table, row_id, why.strip())
    show(steps, json, lambda: "\n".join(f"{key:<14}{value}" for key, value in _flat(steps)))


def _flat(steps: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Lines of the text form: one for each identifier."""
    yield from ((key, value) for key, value in steps.items() if key != "identity")
    for kind, identifiers in steps.get("identity", {}).items():
        yield from ((kind, f"{attribute} {value}") for attribute, value in identifiers.items())


def _crosswalk(folder: Any, workspace: Any) -> Any:
    from etl.crosswalk import Crosswalk
    from etl.identity import secrets_from

    secrets, _ = secrets_from(settings_of(workspace=workspace))
    return Crosswalk(folder, secrets.crosswalk, secrets.retired)


def lineage(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="name of a source, or the path of its folder")],
    out: Annotated[Path | None, typer.Option("--out", help="file to write the page to; default: print it")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show which columns of SOURCE fill which columns of the CDM, how, and by which rules rows are left out."""
    from etl.compiler import compile_source
    from etl.declaration import source_folder
    from passerelle.lineage import lineage_json, lineage_page

    compiled = compile_source(source_folder(source))
    if out is not None:
        out.write_text(lineage_page(compiled), encoding="utf-8")
        show({"page": str(out)}, json, lambda: str(out))
    else:
        show(lineage_json(compiled) if json else None, json, lambda: lineage_page(compiled).rstrip("\n"))


def report(workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Write one self-contained HTML page of what happened in a workspace."""
    from passerelle.report import write_report

    path = write_report(_workspace(workspace), outbox_url=settings_of(workspace=workspace).outbox_url)
    show({"report": str(path)}, json, lambda: str(path))


def settings(workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Show every setting, its value and where it comes from; secrets stay hidden."""
    from passerelle.settings import Settings, origin_of, shown

    flags = {"workspace": workspace}
    given = settings_of(**flags)
    rows = [
        {
            "setting": name,
            "value": shown(given, name),
            "origin": origin_of(name, flags),
            "meaning": Settings.model_fields[name].description,
        }
        for name in Settings.model_fields
    ]
    show(rows, json, lambda: table(rows, ["setting", "value", "origin", "meaning"]))


def _workspace(path: Any) -> Any:
    from passerelle.workspace import Workspace

    workspace = Workspace(settings_of(workspace=path).workspace)
    workspace.manifest()  # says so when there is none
    return workspace


def _of_last_runs(path: Any, source: str | None, name: str, step: str = "mapped") -> list[dict[str, Any]]:
    from passerelle import runs
    from spark_jobs import ops

    lake = _workspace(path).lake
    sources = {run.source for run in runs.load(lake, source) if step in run.events}
    last = [run for s in sorted(sources) if (run := runs.last_with(lake, s, step)) is not None]
    return [row for run in last for row in ops.read(lake, name, run.run_id)]
