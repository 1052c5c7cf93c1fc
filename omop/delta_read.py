"""Read Delta tables without an engine: bookkeeping, snapshots, views."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.dataset as ds


def dataset(path: Path, version: int | None = None) -> "ds.Dataset":
    """One version of a Delta table as an Arrow dataset; None: the newest.

    The files are opened by Arrow itself: through the file system of deltalake, written in Python, a reader thread that
    outlives the interpreter aborts the process (deltalake 1.6.6 with pyarrow 25, four of five runs).
    """
    from deltalake import DeltaTable
    from pyarrow import fs

    folder = str(path.resolve())
    return DeltaTable(folder, version=version).to_pyarrow_dataset(
        filesystem=fs.SubTreeFileSystem(folder, fs.LocalFileSystem())
    )
