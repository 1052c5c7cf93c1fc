"""study pack|run|merge."""

import json as json_
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import (
    JsonOption,
    VerboseOption,
    WorkspaceOption,
    examples,
    progress,
    say,
    settings_of,
    show,
    table,
)

group = typer.Typer(
    name="study",
    no_args_is_help=True,
    help="Carry a model to other hospitals; no row of a person travels.",
    rich_markup_mode=None,
)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="the packed study")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("pack", epilog=examples(
        "passerelle study pack prescription_review --workspace W --out review.study.zip",
    ))(pack)  # fmt: skip
    group.command("run", epilog=examples(
        "passerelle study run review.study.zip --on postgresql://… --centre 'CHU A' --out chu_a.json",
        "passerelle study run review.study.zip --on W --centre 'CHU B' --out chu_b.json",
    ))(run)  # fmt: skip
    group.command("merge", epilog=examples(
        "passerelle study merge chu_a.json chu_b.json chu_c.json --out merged.json",
    ))(merge)  # fmt: skip
    app.add_typer(group)


def pack(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="name of a model, e.g. prescription_review")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="file to write; default MODEL.study.zip")] = None,
    workspace: WorkspaceOption = None,
    version: Annotated[int | None, typer.Option("--version", help="registered version; default: the newest")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write MODEL and its plan to one file.

    The file holds the model, the views that it reads and the plan of the evaluation; no row of a person.
    """
    from passerelle import study

    file = out or Path(f"{model}.study.zip")
    plan = study.pack(settings_of(workspace=workspace), model, file, version)
    show(
        {**plan, "file": str(file)},
        json,
        lambda: f"{file}: {model} {plan['model_version']}, {len(plan['views'])} views",
    )


def run(
    file: FileArgument,
    on: Annotated[str, typer.Option("--on", help="postgresql:// URL, file.duckdb, or a workspace")],
    centre: Annotated[str, typer.Option("--centre", help="name of this hospital in the result")] = "centre",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="file for the result")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Evaluate a packed study here.

    The result holds figures, and no cell under ten.
    """
    from omop.views.store import ViewStore
    from passerelle import study

    with progress() as report:
        report("evaluating")
        result = study.run(file, ViewStore.open(on), centre)
    if out is not None:
        _write(out, result)
    show(result, json, lambda: _of_centre(result))


def merge(
    files: Annotated[list[Path], typer.Argument(metavar="RESULT…", exists=True, dir_okay=False, help="results")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="file for the pooled result")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Pool the results of the centres, with random effects."""
    from passerelle import study

    result = study.merge(files)
    if out is not None:
        _write(out, result)
    show(result, json, lambda: _merged(result))


def _write(out: Path, result: dict[str, Any]) -> None:
    out.write_text(json_.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    say(f"written: {out}")


def _of_centre(result: dict[str, Any]) -> str:
    if result["suppressed"]:
        return (
            f"{result['centre']}: fewer than {result['min_cell']} cases, accepted orders or patients; nothing is told"
        )
    rows = [
        {"score": name, **{figure: _interval(scores[figure]) for figure in ("auroc", "average_precision")}}
        for name, scores in result["scores"].items()
    ]
    head = f"{result['centre']}: {result['rows']} rows of {result['persons']} persons, {result['positives']} positive"
    if result["trained_here"]:
        head += "; the model was trained on this snapshot, so these figures are not pooled"
    return f"{head}\n{table(rows, ['score', 'auroc', 'average_precision'])}"


def _merged(result: dict[str, Any]) -> str:
    rows = [
        {"figure": f"{name}: {figure}", **_pooled(found)}
        for name, figures in result["discrimination"].items()
        for figure, found in figures.items()
    ]
    rows += [{"figure": f"calibration: {name}", **_pooled(found)} for name, found in result["calibration"].items()]
    rows += [
        {"figure": f"auroc, {row['by']} {row['group']}", **_pooled(row["auroc"])}
        for row in result["subgroups"]
        if row["auroc"]["centres"]
    ]
    centres = table(result["centres"], ["centre", "rows", "persons", "positives", "suppressed", "trained_here"])
    return f"{centres}\n\n{table(rows, ['figure', 'centres', 'pooled', 'new centre', 'I²'])}"


def _pooled(found: dict[str, Any]) -> dict[str, Any]:
    new = {"low": found["predicted_low"], "high": found["predicted_high"]}
    return {
        "centres": found["centres"],
        "pooled": _interval(found),
        "new centre": "" if new["low"] is None else f"{new['low']:.3f} to {new['high']:.3f}",
        "I²": "" if found["i2"] is None else f"{found['i2']:.0%}",
    }


def _interval(found: dict[str, Any]) -> str:
    if found["value"] is None or found["low"] is None:
        return "?"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
