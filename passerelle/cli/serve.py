"""serve: results over HTTP, for record systems and, in a demo, for people."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from passerelle.cli.common import JsonOption, VerboseOption, WorkspaceOption, examples, say, settings_of, show


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve", epilog=examples(
        "passerelle serve --workspace workspace/demo --demo      the page of a pharmacist, at http://127.0.0.1:8040",
        "passerelle serve --workspace W --clients clients.yaml   for record systems: FHIR R4 and CDS Hooks 2.0",
        "passerelle serve --workspace W --clients clients.yaml --on postgresql://…   the views of a database",
        "passerelle cds-hooks check http://127.0.0.1:8040        is it right? from another terminal",
    ))(serve)  # fmt: skip


def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[
        str, typer.Option("--host", help="address to listen on; put TLS before any other one")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one")] = 8040,
    clients: Annotated[
        Path | None,
        typer.Option("--clients", exists=True, dir_okay=False, help="who may call: docs/howto/serve_results.md"),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="ask nobody who he is: invented patients, this machine only")
    ] = False,
    on: Annotated[str | None, typer.Option("--on", help="read the views of this database instead")] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Serve results: FHIR R4 read and search, CDS Hooks, health and metrics; with --demo, the page of a pharmacist."""
    from passerelle.serve import serve as run

    def ready(address: str) -> None:
        if json:
            show({"url": address, "demo": demo}, json, str)
            sys.stdout.flush()  # whoever waits for it reads a pipe
        say(f"serving {address}" + (" (DEMO: nobody is asked who he is)" if demo else "") + "; Ctrl-C ends it")

    run(settings_of(workspace=workspace), host=host, port=port, clients=clients, demo=demo, on=on, ready=ready)
