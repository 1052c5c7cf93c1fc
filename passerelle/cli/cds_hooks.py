"""cds-hooks check: does a CDS service keep to the text?"""

import json as jsonlib
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passerelle.cli.common import JsonOption, VerboseOption, examples, progress, show
from passerelle.errors import UsageError

if TYPE_CHECKING:
    from fhir_adapters.cds_hooks.suite import Report, Signer, Verdict

group = typer.Typer(
    name="cds-hooks", no_args_is_help=True, help="CDS Hooks 2.0: judge any service.", rich_markup_mode=None
)
WIDTHS = (7, 34, 34)


class Algorithm(StrEnum):
    """Algorithms that the text recommends for a client's token."""

    ES384 = "ES384"
    RS384 = "RS384"


@group.callback()
def _group() -> None:
    pass


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("check", epilog=examples(
        "passerelle cds-hooks check https://cds.example.org                     every service, an invented patient",
        "passerelle cds-hooks check http://127.0.0.1:8080 --hook order-sign     the services of one hook",
        "passerelle cds-hooks check URL --request my_order_sign.json            a request of your own",
        "passerelle cds-hooks check URL --token-key key.pem --issuer https://dpi.example --kid k1   who is let in",
        "passerelle cds-hooks check URL --json | jq '.checks[] | select(.status == \"fail\")'         for machines",
    ))(check)  # fmt: skip
    app.add_typer(group)


def check(
    url: Annotated[str, typer.Argument(help="base URL: {URL}/cds-services lists its services")],
    hook: Annotated[list[str] | None, typer.Option("--hook", help="only services of this hook (repeatable)")] = None,
    request: Annotated[
        list[Path] | None,
        typer.Option("--request", exists=True, dir_okay=False, help="JSON of a request for its hook (repeatable)"),
    ] = None,
    token_key: Annotated[
        Path | None,
        typer.Option("--token-key", exists=True, dir_okay=False, help="the client's private key, PEM; signs each call"),
    ] = None,
    algorithm: Annotated[Algorithm, typer.Option("--algorithm", help="of the client's token")] = Algorithm.ES384,
    issuer: Annotated[str | None, typer.Option("--issuer", help="iss of the client's token")] = None,
    kid: Annotated[str | None, typer.Option("--kid", help="id of the key, as the service knows it")] = None,
    jku: Annotated[str | None, typer.Option("--jku", help="address of the client's keys, where there is one")] = None,
    origin: Annotated[str | None, typer.Option("--origin", help="of a browser that the service should let in")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Send right and wrong requests to a CDS service and judge each answer by the text and HL7's invariants.

    Only for a service for tests: it is told, as feedback, that cards were followed and set aside. Exit 1 when a check
    fails.
    """
    from fhir_adapters.cds_hooks.suite import run_suite

    signer = _signer(token_key, algorithm, issuer, kid, jku)
    requests = [_read(path) for path in request or ()]
    with progress() as report:
        found = run_suite(url, hooks=hook or (), requests=requests, signer=signer, origin=origin, report=report)
    show(found.as_json(), json, lambda: _told(found))
    if not found.ok:
        raise typer.Exit(1)


def _signer(
    key: Path | None, algorithm: Algorithm, issuer: str | None, kid: str | None, jku: str | None
) -> "Signer | None":
    from fhir_adapters.cds_hooks.suite import load_signer

    if key is None:
        return None
    if issuer is None or kid is None:
        raise UsageError(
            "a token needs an issuer and a key id",
            looked="--issuer, --kid",
            do="give both, as the service knows the client",
        )
    return load_signer(key, algorithm=algorithm, issuer=issuer, kid=kid, jku=jku)


def _read(path: Path) -> Any:
    try:
        return jsonlib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UsageError("a request is no JSON", looked=str(path), do="correct the file") from error


def _told(found: "Report") -> str:
    """A line for each check; those that were skipped for one reason share a line."""
    lines = []
    for _, group in groupby(found.verdicts, key=_reason):
        alike = list(group)
        verdict, more = alike[0], f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        cells = (verdict.status, verdict.check + more, verdict.service or "(server)")
        lines.append("  ".join([*map(str.ljust, cells, WIDTHS), verdict.sentence]))
        if verdict.status == "fail":
            lines += [f"         asked: {verdict.asks}", f"         by:    {verdict.source}"]
    counts = found.counts
    return "\n".join([*lines, f"{counts['pass']} passed, {counts['fail']} failed, {counts['skipped']} skipped"])


def _reason(verdict: "Verdict") -> tuple[str, ...]:
    return (verdict.service, verdict.sentence, "" if verdict.status == "skipped" else verdict.check)
