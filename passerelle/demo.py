"""The demo: every room of the engine once, on a synthetic hospital, on one bare machine."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from passerelle import __version__
from passerelle.settings import Settings
from passerelle.workspace import Workspace

SOURCE, MODEL = "chu_demo", "prescription_review"


@dataclass
class Steps:
    """Times of the steps, told as they end and kept for the report."""

    say: Callable[[str], None]
    done: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, str]]:
        """Time one step; the block may leave a ``note``."""
        started, facts = time.monotonic(), {"note": ""}
        yield facts
        seconds = time.monotonic() - started
        self.done.append({"step": name, "seconds": round(seconds, 2), "note": facts["note"]})
        self.say(f"{name:<34}{seconds:7.1f} s   {facts['note']}")


def run_demo(workspace: Path, patients: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Generate, load, map, check, publish, train, predict, deliver, report.

    Secrets are made in the workspace and stay there: good for a demo, and only for a demo.
    """
    from etl.demo.chu_demo import generate
    from etl.demo.server import demo_server
    from fhir_adapters.sandbox import run_sandbox
    from passerelle import delivery, pipeline, predictions
    from passerelle.report import write_report

    workspace = workspace.absolute()
    steps = Steps(say)
    say(f"passerelle {__version__}: demo in {workspace}, {patients} synthetic patients")
    say(f"the demo makes its own secrets in {workspace / 'demo_keys.json'}; a hospital keeps them elsewhere")
    with ExitStack() as kept:
        with steps.step("start PostgreSQL") as facts:
            dsn = kept.enter_context(demo_server(workspace / "postgresql"))
            facts["note"] = "a real server, embedded; no network"
        with steps.step("generate the hospital") as facts:
            rows = generate(dsn, patients=patients)
            facts["note"] = f"{sum(rows.values())} rows in {len(rows)} tables (synthetic)"
        settings = Settings(
            workspace=workspace,
            source_dsn=SecretStr(dsn),
            warehouse_dsn=SecretStr(_warehouse(dsn)),
            keys_file=workspace / "demo_keys.json",
        )
        with pipeline.open_job(settings, SOURCE) as job:
            location = pipeline.location_of(job.compiled, settings, None)
            with steps.step("extract") as facts:
                tables = pipeline.extract(job, location)["tables"]
                facts["note"] = f"{sum(t['read'] for t in tables.values())} rows of {len(tables)} tables"
            with steps.step("map to OMOP") as facts:
                mapped = pipeline.map_tables(job)
                facts["note"] = (
                    f"{sum(t['rows'] for t in mapped['tables'].values())} rows in {len(mapped['tables'])} tables"
                )
            with steps.step("check quality") as facts:
                checked = pipeline.check(job)
                facts["note"] = f"{checked['passed']} checks passed, {checked['failed']} failed"
            with steps.step("publish views and warehouse") as facts:
                published = pipeline.publish(job)
                facts["note"] = f"{len(published['views'])} views, in the lake and in PostgreSQL"
        _model_and_delivery(settings, steps, predictions, delivery, run_sandbox)
    report = Workspace(workspace).report
    _keep_times(report.parent / "demo.json", steps.done, patients)
    with steps.step("report"):
        write_report(Workspace(workspace))
    _keep_times(report.parent / "demo.json", steps.done, patients)
    total = sum(step["seconds"] for step in steps.done)
    say(f"{'total':<34}{total:7.1f} s")
    return {"report": str(report), "seconds": round(total, 1), "steps": steps.done, "patients": patients}


def _model_and_delivery(settings: Settings, steps: Steps, predictions: Any, delivery: Any, run_sandbox: Any) -> None:
    store = predictions.open_store(settings, None)
    uri = predictions.tracking_uri(settings)
    with steps.step("train " + MODEL) as facts:
        trained = predictions.step(MODEL, "train").train(store, tracking_uri=uri)
        facts["note"] = str(trained).splitlines()[0]
    with steps.step("evaluate") as facts:
        evaluated = predictions.step(MODEL, "evaluate").evaluate(store, tracking_uri=uri)
        predictions.save_results(Workspace(settings.workspace), MODEL, evaluated.as_json())
        facts["note"] = str(evaluated).splitlines()[0]
    with steps.step("predict") as facts:
        found = predictions.step(MODEL, "predict").predict(store, tracking_uri=uri)
        kept = predictions.keep(settings, found, MODEL)
        facts["note"] = f"{kept['predictions']} predictions in the outbox"
    with steps.step("deliver as FHIR R4") as facts, run_sandbox() as url:
        target = settings.model_copy(update={"fhir_url": url})
        # The generated hospital lives in the past: its alerts are sent as they held then, not as expired ones.
        then = min((prediction.index_time for prediction in found), default=None)
        delivered = delivery.deliver_outbox(target, lambda _: None, as_of=then)
        facts["note"] = f"{delivered['acked']} DetectedIssue at a sandbox server (stand-in for an EHR)"


def _warehouse(dsn: str) -> str:
    """A second database of the same server, for OMOP and the views: the source stays as it is."""
    import psycopg
    from sqlalchemy.engine import make_url

    with psycopg.connect(dsn, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'warehouse'").fetchone():
            connection.execute("CREATE DATABASE warehouse")
    return make_url(dsn).set(database="warehouse").render_as_string(hide_password=False)


def _keep_times(path: Path, steps: list[dict[str, Any]], patients: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"patients": patients, "steps": steps}, indent=1))
