"""Files: a checked stream of UTF-8 bytes from .csv and .csv.gz in the encoding that the source declares."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from etl.declaration import Source, SourceTable
from passerelle.errors import SourceError

CHUNK_BYTES = 1 << 20


@contextmanager
def open_file(
    source: Source, name: str, table: SourceTable, folder: Path, *, may_lack: bool = False
) -> Iterator[io.RawIOBase | None]:
    """The bytes of one table's file, decompressed and turned into UTF-8; None when an optional file is absent.

    Args:
        may_lack: a delivery of what changed leaves out the files in which nothing did.

    Raises: SourceError: the file is missing, truncated or in another encoding; it names file, table and line.
    """
    relative = table.path or f"{name}.csv"
    path = folder / relative
    if not path.is_file():
        if table.optional or may_lack:
            yield None
            return
        raise SourceError(
            f"{source.name}.{name}: the file {relative} is missing",
            looked=str(folder),
            do="give the folder that holds it with --input, or declare the table `optional: true`",
        )
    with path.open("rb") as raw, _decompressed(path, raw) as clear:
        yield Utf8Stream(clear, source.files.encoding, f"{source.name}.{name} ({relative})")


@contextmanager
def _decompressed(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    if path.suffix == ".gz":
        with gzip.GzipFile(fileobj=raw) as clear:
            yield cast("IO[bytes]", clear)
    else:
        yield raw


class Utf8Stream(io.RawIOBase):
    """Turns declared bytes into UTF-8 and says at which line they are something else."""

    def __init__(self, raw: IO[bytes], encoding: str, where: str) -> None:
        self._raw, self._encoding, self._where = raw, encoding, where
        self._decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("strict")
        self._lines = 0
        self._pending = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._pending and not self._ended:
            self._pending = self._next_chunk()
        taken = self._pending[: len(buffer)]
        self._pending = self._pending[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def _next_chunk(self) -> bytes:
        try:
            chunk = self._raw.read(CHUNK_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceError(
                f"{self._where}: the compressed file is truncated or damaged after line {self._lines}",
                looked=str(error),
                do="have the file sent again; nothing of it was loaded",
            ) from error
        self._ended = not chunk
        try:
            text = self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            line = self._lines + error.object[: error.start].count(b"\n") + 1
            raise SourceError(
                f"{self._where}: line {line} is not {self._encoding}",
                looked=f"byte 0x{error.object[error.start]:02x}",
                do="declare the true encoding under `files: {encoding: …}` (utf-8, latin-1 or windows-1252)",
            ) from error
        self._lines += text.count("\n")
        return text.encode()
