"""Carry a model to other hospitals: one file out, one aggregate result back from each, all results as one."""

import importlib
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.disclosure import MIN_CELL
from models.registry import Registry, folder_sha256
from models.study import FORMAT, centre_result, merge_results
from omop.views.contract import view
from passerelle import __version__, predictions
from passerelle.errors import ContractError, TerminalError, UsageError
from passerelle.settings import Settings

if TYPE_CHECKING:
    from omop.views.store import ViewStore

PACK_FORMAT = "passerelle study 1"
PLAN, FILES, CONTRACT_FILES = "study.json", "model/", "contract/"
LARGEST = 500_000_000  # bytes of one file in a pack: more is no model of ours


def pack(settings: Settings, model: str, file: Path, version: int | None = None) -> dict[str, Any]:
    """Write a model, the views that it reads and the plan of its evaluation to a file; no row of a person.

    Raises: ModelNotFound: the workspace holds no trained version.
    """
    predictions.step(model, "evaluate")
    stored = Registry(predictions.tracking_uri(settings)).load(model, version=version)
    config = importlib.import_module(f"models.{model}.config").load_config()
    reads = {**config.views, **config.labels}
    plan = {
        "format": PACK_FORMAT,
        "passerelle": __version__,
        "model": model,
        "model_version": f"{config.version}.{stored.version}",
        "model_sha256": stored.sha256,
        "run_id": stored.run_id,
        "trained_on": stored.tags["snapshot_id"],
        "contract": config.contract,
        "views": {name: list(columns) for name, columns in reads.items()},
        "rows": "every labelled row of the centre",
        "seed": 0,
        "min_cell": MIN_CELL,
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, PLAN, json.dumps(plan, ensure_ascii=False, indent=1).encode())
        _add(archive, "README.md", (predictions.MODELS / model / "README.md").read_bytes())
        for path in sorted(path for path in stored.folder.rglob("*") if path.is_file()):
            _add(archive, FILES + path.relative_to(stored.folder).as_posix(), path.read_bytes())
        for name in reads:
            for part in (view(name).sql_file, view(name).sql_file.with_suffix(".yaml")):
                _add(archive, CONTRACT_FILES + part.name, part.read_bytes())
    return plan


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)  # the same pack, byte by byte


def run(file: Path, store: "ViewStore", centre: str) -> dict[str, Any]:
    """Evaluate a packed model on the views of a centre; the result holds figures only.

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model reads.
        TerminalError: the file is not a study, or its model is not the one it names.
    """
    with _opened(file) as (plan, folder):
        step = predictions.step(plan["model"], "evaluate")
        names = {name: plan[name] for name in ("model", "model_version", "run_id", "model_sha256")}
        report = step.evaluate_folder(store, folder, named=names, seed=plan["seed"])
    result = centre_result(report.as_json(), centre, plan)
    return {**result, "views": {name: store.versions[name] for name in plan["views"]}}


def adapt(file: Path, model: str, store: "ViewStore", tracking_uri: str, seed: int, site: Path | None = None) -> Any:
    """Make a packed model ready for the hospital of these views, and register it; gives the report of the model.

    Raises:
        ContractError: the store lacks the contract, a view or a column that the model reads.
        TerminalError: the file is not a study, or its model is not the one it names.
        UsageError: the file holds another model.
    """
    step = predictions.step(model, "adapt")
    with _opened(file) as (plan, folder):
        if plan["model"] != model:
            raise UsageError(f"the file holds {plan['model']}, not {model}", looked=str(file), do="name its model")
        return step.adapt_folder(store, folder, named=plan, tracking_uri=tracking_uri, seed=seed, site=site)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """The plan of a study whose contract this release has, and a folder with the model's files."""
    with tempfile.TemporaryDirectory() as scratch:
        plan = _unpack(file, Path(scratch))
        _same_contract(plan)
        yield plan, Path(scratch)


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            plan: dict[str, Any] = json.loads(archive.read(PLAN))
            if plan.get("format") != PACK_FORMAT:
                raise TerminalError(f"the file is not a {PACK_FORMAT}", looked=f"{file}: {plan.get('format')}")
            for part in archive.infolist():
                name = part.filename.removeprefix(FILES)
                if part.filename.startswith(FILES) and "/" not in name and part.file_size < LARGEST:
                    (folder / Path(name).name).write_bytes(archive.read(part))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise TerminalError(
            "the file is not a study", looked=f"{file}: {error}", do="passerelle study pack MODEL"
        ) from error
    if (found := folder_sha256(folder)) != plan["model_sha256"]:
        raise TerminalError(
            "the model in the file is not the one that it names",
            looked=f"{plan['model_sha256'][:12]}… meant, {found[:12]}… found",
            do="ask for the file again: it was damaged or changed on its way",
        )
    return plan


def _same_contract(plan: dict[str, Any]) -> None:
    """The contract of this release has what the study reads."""
    for name, columns in plan["views"].items():
        declared = view(name)
        if declared.version != plan["contract"]:
            raise ContractError(
                f"the study needs the view contract {plan['contract']}, this release has {declared.version}",
                do=f"install the release of passerelle that made the study: {plan['passerelle']}",
            )
        declared.check_columns(tuple(columns))


def merge(files: Sequence[Path]) -> dict[str, Any]:
    """Pool the results of the centres of one study.

    Raises: UsageError: a file is no result, or of another study, or a centre is there twice.
    """
    results = [_result(file) for file in files]
    studies = {json.dumps(result["study"], sort_keys=True) for result in results}
    if len(studies) > 1:
        raise UsageError("the results are of several studies", looked="; ".join(sorted(studies)), do="merge one study")
    names = [result["centre"] for result in results]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError("a centre is there twice", looked=", ".join(repeated), do="give each result once")
    return merge_results(results)


def _result(file: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            "a result cannot be read", looked=f"{file}: {error}", do="passerelle study run FILE"
        ) from error
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise UsageError("a file is no result of a study", looked=str(file), do="passerelle study run FILE --out …")
    return result
