"""The good copies of sources, and how a copy is run: from its folder, or from the database that it is loaded into."""

from pathlib import Path

import pytest

from passerelle.cli import run as cli
from tests.conftest import KEPT
from tests.hostile import database
from tests.hostile.mutated_copies import Copy
from tests.hostile.small_copies import COPIES
from tests.hostile.tiny_copies import TINY

WANTED = int(KEPT.get("PASSERELLE_MUTATIONS") or 0)  # copies of the shared sources; 0: a sample of the tiny ones


def good_copy(name: str, folder: Path, request: pytest.FixtureRequest) -> Copy:
    """A source as it should be, in a folder; the shared data are asked for only where they are needed."""
    if name in TINY:
        return TINY[name](folder)
    COPIES[name](request.getfixturevalue("shared_data"), folder / "good")
    return Copy(name, folder / "good")


def run(copy: Copy, workspace: Path, dsn: str | None) -> int:
    """Run a copy; gives the exit code back.

    Args:
        dsn: of the database that its tables are loaded into; None: it is read from its folder.
    """
    words = ["--input", str(copy.folder)]
    if dsn is not None:
        database.load(dsn, copy)
        words = ["--input", dsn, "--full"]
    return cli(["run", copy.place or copy.name, *words, "--workspace", str(workspace), "--json"])
