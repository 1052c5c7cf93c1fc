"""Where things are in a workspace: one place for the names that scripts rely on."""

from dataclasses import dataclass
from pathlib import Path

CONTRACT = "v1"
VIEWS = f"views_{CONTRACT}"  # folder of the lake, schema of a database


@dataclass(frozen=True)
class Lake:
    """Paths of a workspace. Nothing is created by asking for a path."""

    workspace: Path

    @property
    def root(self) -> Path:
        return self.workspace / "lake"

    def bronze(self, source: str, table: str) -> Path:
        return self.root / "bronze" / source / table

    def omop(self, table: str) -> Path:
        return self.root / "omop" / table

    def ops(self, table: str) -> Path:
        return self.root / "ops" / table

    def view(self, name: str) -> Path:
        return self.root / VIEWS / name

    def predictions(self, model: str) -> Path:
        return self.root / "predictions" / model

    def staging(self, run_id: str) -> Path:
        """Intermediate results of a run; removed when the run is complete."""
        return self.workspace / "staging" / run_id

    @property
    def identity(self) -> Path:
        return self.workspace / "identity"


def is_delta(path: Path) -> bool:
    """Whether a Delta table stands there; a log without a first commit (its writer was killed) is none yet."""
    return any((path / "_delta_log").glob("*.json"))
