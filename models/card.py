"""The model card: what the package's README says, and what its newest registered version measured."""

from collections.abc import Mapping
from pathlib import Path

from models.registry import Registry, Stored

SHOWN = ("auroc", "average_precision", "prevalence", "ece", "brier_skill", "rows", "persons", "positives")


def render_card(package: Path, stored: Stored) -> str:
    """README of a model package (a folder) followed by the identity and figures of one version, as Markdown."""
    readme = (package / "README.md").read_text(encoding="utf-8").rstrip()
    identity = {
        "version": str(stored.version),
        "run": stored.run_id,
        "sha-256 of the model": stored.sha256,
        "view contract": stored.tags.get("view_contract", "?"),
        "snapshot": stored.tags.get("snapshot_id", "?"),
    }
    lines = [readme, "", f"## Version {stored.version}, as measured when it was trained", ""]
    lines += [*_table("fact", identity), "", *_table("figure (held-out test part)", _figures(stored.metrics))]
    return "\n".join(lines) + "\n"


def card(model: str, *, tracking_uri: str, version: int | None = None) -> str:
    """The card of a registered model (default: its newest version)."""
    return render_card(Path(__file__).parent / model, Registry(tracking_uri).load(model, version=version))


def _figures(metrics: Mapping[str, float]) -> dict[str, str]:
    names = [name for name in SHOWN if name in metrics]
    names += sorted(name for name in metrics if name not in SHOWN)
    return {name: f"{metrics[name]:.3f}".rstrip("0").rstrip(".") for name in names}


def _table(title: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {title} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
