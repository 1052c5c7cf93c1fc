"""What a workspace sends, as it arrives: its outbox is delivered once more, to a sandbox that forgets it afterwards."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from fhir_adapters.delivery import deliver
from fhir_adapters.delivery.target import Target
from fhir_adapters.exact_json import dumps
from fhir_adapters.sandbox import run_sandbox
from passerelle.delivery import outbox_of, reidentifier_of
from passerelle.errors import TerminalError
from passerelle.settings import Settings

LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)  # the patients of a demo live in the past: nothing has expired
TYPES = ("Device", "Group", "DetectedIssue", "RiskAssessment", "DocumentReference", "Provenance")


@contextmanager
def delivered_again(workspace: Path) -> Iterator[Path]:
    """A folder of NDJSON files, one a type, gone at the end of the block: identities are in it."""
    target = f"conformance {uuid.uuid4()}"  # a server that has had nothing yet
    settings = Settings(workspace=workspace, keys_file=workspace / "demo_keys.json")
    with TemporaryDirectory() as folder, run_sandbox() as url:
        with outbox_of(settings) as outbox:
            outbox.offer(target)
            report = deliver(outbox, url, reidentifier_of(settings, "conformance"), target=target, as_of=LONG_AGO)
        if not report.ok or not report.acked:
            raise TerminalError(f"not everything was delivered: {report.as_json()}", looked=str(workspace))
        with Target(url, timeout_s=60.0) as server:
            for kind in TYPES:
                lines = [dumps(resource) for resource in server.everything(kind, {})]
                (Path(folder) / f"{kind}.ndjson").write_text("\n".join(lines), "utf-8")
        yield Path(folder)
