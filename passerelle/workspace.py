"""A workspace: its manifest, its lock, its runs."""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omop.lake import Lake
from passerelle.errors import TerminalError, UsageError, WorkspaceBusy

MANIFEST = "workspace.json"
EMBEDDED = "embedded"
WRITABLE = re.compile(r"[A-Za-z0-9/._+=@,;:&!$()'-]")


@dataclass(frozen=True)
class Workspace:
    """A folder that holds one CDM; several sources may fill it, each in a range of person buckets of its own."""

    root: Path

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    @property
    def exists(self) -> bool:
        return (self.root / MANIFEST).is_file()

    @property
    def outbox_url(self) -> str:
        return f"sqlite:///{(self.root / 'outbox' / 'outbox.sqlite').resolve()}"

    @property
    def mlflow_uri(self) -> str:
        return f"sqlite:///{(self.root / 'mlruns' / 'mlflow.sqlite').resolve()}"

    @property
    def report(self) -> Path:
        return self.root / "report" / "index.html"

    def manifest(self) -> dict[str, Any]:
        """What was decided when the workspace was made.

        Raises: UsageError: there is no workspace.
        """
        path = self.root / MANIFEST
        if not path.is_file():
            raise UsageError(
                "there is no workspace here", looked=str(path), do="make one: passerelle run SOURCE --workspace W"
            )
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    def admit(self, source: str, *, buckets: int, secrets: str) -> tuple[int, int]:
        """Give a source its range of buckets; returns (first bucket, number of buckets).

        Raises: TerminalError: the secrets are not those that the workspace was made with.
        """
        if self.exists:
            manifest = self.manifest()
        else:
            self.root.mkdir(parents=True, exist_ok=True)
            manifest = {"buckets": buckets, "secrets": secrets, "sources": {}}
        if manifest["secrets"] != secrets:
            raise TerminalError(
                "the secrets of this run are not those that the workspace was made with: every key would change",
                looked=f"fingerprint {manifest['secrets']} in {MANIFEST}, {secrets} in this run",
                do="give the first secrets again, or use a new workspace",
            )
        if source not in manifest["sources"]:
            manifest["sources"][source] = len(manifest["sources"])
            _replace(self.root / MANIFEST, json.dumps(manifest, indent=1) + "\n")
        return manifest["sources"][source] * manifest["buckets"], manifest["buckets"]

    def source_of(self, bucket: int) -> str:
        """The source whose rows lie in a bucket."""
        manifest = self.manifest()
        source: str = next(n for n, place in manifest["sources"].items() if place == bucket // manifest["buckets"])
        return source

    def refuse_unwritable(self, engine: str) -> None:
        """Refuse a path that the engine would write elsewhere.

        Sail 0.7.2 escapes blanks and accents in the path of a Delta table: its log and its files land in other folders.

        Raises: UsageError: naming the characters.
        """
        path = str(self.root.resolve())
        if engine == EMBEDDED and (strange := sorted(set(WRITABLE.sub("", path)))):
            raise UsageError(
                f"the embedded engine cannot write to a path with {' '.join(map(repr, strange))}",
                looked=path,
                do="choose a workspace whose path holds ASCII letters, digits and . _ - + = only, or another --engine",
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace: one writer at a time. The lock dies with its process."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorkspaceBusy(
                    "another run holds this workspace", looked=str(self.root), do="wait for it to end, then try again"
                ) from error
            yield


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
