"""Train, evaluate, predict: the models of ``models/`` on the views of a workspace or of a database."""

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from passerelle.errors import UsageError
from passerelle.settings import Settings
from passerelle.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.contract import Prediction
    from omop.views.store import ViewStore

MODELS = Path(__file__).parent.parent / "models"
NESTED = ("contributions", "evidence", "interval", "cohort", "forecasts", "document")  # kept as JSON


def list_models() -> list[str]:
    """Models that ship: the packages that can be trained."""
    return sorted(path.parent.name for path in MODELS.glob("*/train.py"))


def step(model: str, name: str) -> ModuleType:
    """A step of a model: its module ``train``, ``adapt``, ``evaluate`` or ``predict``.

    Raises: UsageError: there is no such model.
    """
    if model not in list_models():
        raise UsageError(f"there is no model {model}", looked=", ".join(list_models()), do="choose one of these")
    return importlib.import_module(f"models.{model}.{name}")


def open_store(settings: Settings, on: str | None) -> "ViewStore":
    """The views: of the workspace, or of the database that ``--on`` names."""
    from omop.views.store import ViewStore

    return ViewStore.open(on or settings.workspace)


def tracking_uri(settings: Settings) -> str:
    """Where MLflow keeps the runs: SQLite in the workspace unless a server is set."""
    workspace = Workspace(settings.workspace)
    (workspace.root / "mlruns").mkdir(parents=True, exist_ok=True)
    return settings.mlflow_uri or workspace.mlflow_uri


def own_knowledge(settings: Settings, model: str) -> Path | None:
    """What this hospital knows better than what ships with a model: its folder, where there is one.

    Raises: UsageError: the folder that is set does not exist.
    """
    if settings.knowledge is None:
        return None
    if not settings.knowledge.is_dir():
        raise UsageError(
            "the folder of own knowledge does not exist",
            looked=str(settings.knowledge),
            do="correct PASSERELLE_KNOWLEDGE",
        )
    folder = settings.knowledge / model
    return folder if folder.is_dir() else None


def save_results(workspace: Workspace, model: str, results: dict[str, Any]) -> Path:
    """Keep the results of an evaluation beside the report, which shows them."""
    path = workspace.report.parent / "models" / f"{model}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, default=str))
    return path


def keep(settings: Settings, predictions: "Sequence[Prediction]", model: str) -> dict[str, Any]:
    """Put predictions in the outbox with what is to be sent of them (one transaction), then in the lake for study."""
    from passerelle.delivery import declaration_of, outbox_of

    declared = declaration_of(settings)
    targets = [name for name, target in declared.targets.items() if target.takes(model)]
    with outbox_of(settings) as outbox:
        report = outbox.enqueue(predictions, *targets, site=declared.site)
    _write_delta(Workspace(settings.workspace), predictions, model)
    return {"model": model, "predictions": len(predictions), **report.as_json()}


def _write_delta(workspace: Workspace, predictions: "Sequence[Prediction]", model: str) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    if not predictions:
        return
    rows = []
    for prediction in predictions:
        row = asdict(prediction) | {"prediction_id": prediction.prediction_id}
        rows.append(row | {name: json.dumps(row[name], ensure_ascii=False, default=str) for name in NESTED})
    path = workspace.lake.predictions(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_deltalake(str(path), pa.Table.from_pylist(rows, schema=_schema()), mode="overwrite", schema_mode="overwrite")


def _schema() -> Any:
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("model", pa.string()),
            ("model_version", pa.string()),
            ("person_id", pa.int64()),
            ("visit_occurrence_id", pa.int64()),
            ("occasion", pa.string()),
            ("index_time", time),
            ("valid_from", time),
            ("valid_until", time),
            ("category", pa.string()),
            ("probability", pa.float64()),
            ("severity", pa.string()),
            ("message", pa.string()),
            *((name, pa.string()) for name in NESTED),
            ("view_contract", pa.string()),
            ("snapshot_id", pa.string()),
            ("model_sha256", pa.string()),
        ]
    )
