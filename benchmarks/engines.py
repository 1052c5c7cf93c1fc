"""The embedded engine and Apache Spark on the same work: what a start and many small tables cost on each."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command_line import passerelle
from benchmarks.figures import Figure
from tests.hospital import write_feed, write_source

COMMAND = "passerelle run ./tiny --input DIR --workspace W --engine {}"


def measure(folder: Path) -> Iterator[Figure]:
    """The tiny hospital of the tests; Apache Spark only where Java and its jars are."""
    source, feed = write_source(folder / "tiny"), write_feed(folder / "feed")

    def run(engine: str) -> float:
        workspace = folder / engine.partition("[")[0]
        words = ["run", str(source), "--input", str(feed), "--workspace", str(workspace), "--engine", engine]
        return passerelle(*words)[0]

    embedded = run("embedded")
    spark = run("local[2]") if shutil.which("java") and os.environ.get("PASSERELLE_JARS") else None
    beside = f"Apache Spark local[2]: {spark:.1f} s" if spark else "Apache Spark not measured: no Java or no jars"
    yield Figure("a hospital of a dozen rows, files to views", embedded, "s", beside, COMMAND.format("embedded"))
