"""Where models are kept: MLflow runs and versions, in SQLite by default."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from passerelle.errors import TerminalError

MODEL_FOLDER = "model"
SHA_TAG = "model_sha256"


class ModelNotFound(TerminalError):
    """No such model, version or run in the registry."""


@dataclass(frozen=True)
class Stored:
    """One registered version of a model and the run that made it."""

    model: str
    version: int
    run_id: str
    folder: Path
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of the model's files: two versions with the same hash predict the same."""
        return self.tags[SHA_TAG]


def folder_sha256(folder: Path) -> str:
    """One hash for all files of a model, names included."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Registry:
    """Runs and versions at a tracking URI (``sqlite:////…/mlflow.db`` or an MLflow server)."""

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri
        # MLflow reports its use to its makers unless told not to; a hospital's machine must stay silent.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        for noisy in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        from mlflow import MlflowClient

        self._root = _beside_sqlite(tracking_uri)
        if self._root:
            self._root.parent.mkdir(parents=True, exist_ok=True)
        self._client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)

    def log(
        self,
        model: str,
        folder: Path,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        plots: Mapping[str, str],
        report: Mapping[str, Any],
    ) -> Stored:
        """Record a run with its model; the same model again gives a new run and keeps its version.

        Args:
            folder: the model's files; read, never moved.
            plots: name → SVG.
            report: the whole evaluation, kept as ``report.json``.
        """
        sha256 = folder_sha256(folder)
        client = self._client
        run = client.create_run(self._experiment(model), tags={**tags, SHA_TAG: sha256})
        run_id = run.info.run_id
        for name, value in params.items():
            client.log_param(run_id, name, value)
        for name, number in metrics.items():
            client.log_metric(run_id, name, number)
        with tempfile.TemporaryDirectory() as scratch:
            extra = Path(scratch)
            (extra / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
            for name, svg in plots.items():
                (extra / f"{name}.svg").write_text(svg, encoding="utf-8")
            client.log_artifacts(run_id, str(extra))
        client.log_artifacts(run_id, str(folder), MODEL_FOLDER)
        client.set_terminated(run_id)
        self._version(model, run_id, run.info.artifact_uri, sha256)
        return self.run(model, run_id)

    def load(self, model: str, *, version: int | None = None, run_id: str | None = None) -> Stored:
        """A version, the version that a run made, or the newest version.

        Raises:
            ModelNotFound: nothing is registered under these names.
        """
        known = self._versions(model)
        if version is not None:
            known = [row for row in known if int(row.version) == version]
        if run_id is not None:
            sha256 = self._run(model, run_id).data.tags.get(SHA_TAG)
            known = [row for row in known if row.tags.get(SHA_TAG) == sha256]
        if not known:
            raise ModelNotFound(
                what=f"no trained {model} with version={version or 'newest'}, run={run_id or 'any'}",
                looked=self.tracking_uri,
                do=f"passerelle train {model}; one from elsewhere: passerelle adapt {model} --from FILE",
            )
        return self._stored(model, known[-1])

    def run(self, model: str, run_id: str) -> Stored:
        """A run with its own parameters and metrics, whichever version its model has."""
        found = self._run(model, run_id)
        version = self.load(model, run_id=run_id).version
        return Stored(
            model,
            version,
            run_id,
            self._folder(model, run_id, found.info.artifact_uri),
            found.data.params,
            found.data.metrics,
            found.data.tags,
        )

    def _stored(self, model: str, row: Any) -> Stored:
        run = self._run(model, row.run_id)
        folder = self._folder(model, row.run_id, run.info.artifact_uri)
        return Stored(model, int(row.version), row.run_id, folder, run.data.params, run.data.metrics, run.data.tags)

    def _folder(self, model: str, run_id: str, artifact_uri: str) -> Path:
        if self._root:  # found beside the database, so a workspace may be moved
            return self._root / model / run_id / "artifacts" / MODEL_FOLDER
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(f"{artifact_uri}/{MODEL_FOLDER}", tracking_uri=self.tracking_uri))

    def _run(self, model: str, run_id: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_run(run_id)
        except MlflowException as problem:
            raise ModelNotFound(
                what=f"no run {run_id} of {model}", looked=self.tracking_uri, do=f"passerelle train {model}"
            ) from problem

    def _versions(self, model: str) -> list[Any]:
        rows = self._client.search_model_versions(f"name='{model}'")
        return sorted(rows, key=lambda row: int(row.version))

    def _version(self, model: str, run_id: str, artifact_uri: str, sha256: str) -> None:
        if any(row.tags.get(SHA_TAG) == sha256 for row in self._versions(model)):
            return
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException):  # it exists already
            self._client.create_registered_model(model)
        source = f"{artifact_uri}/{MODEL_FOLDER}"
        self._client.create_model_version(model, source, run_id, tags={SHA_TAG: sha256})

    def _experiment(self, model: str) -> str:
        found = self._client.get_experiment_by_name(model)
        if found:
            return str(found.experiment_id)
        # Without a location MLflow would write into whatever folder the program was started from.
        location = (self._root / model).resolve().as_uri() if self._root else None
        return str(self._client.create_experiment(model, artifact_location=location))


def _beside_sqlite(tracking_uri: str) -> Path | None:
    """The artifacts' folder next to an SQLite file; None for a server, which has its own."""
    prefix = "sqlite:///"
    return Path(tracking_uri.removeprefix(prefix)).parent / "artifacts" if tracking_uri.startswith(prefix) else None
