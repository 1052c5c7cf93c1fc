"""The crosswalk: the encrypted way back from a hash to the hospital's identifiers, and the log of who opened it."""

import getpass
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from passerelle.errors import TerminalError

NONCE_BYTES = 12
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("kind", pa.string()),  # person, stay, rest
        ("hash", pa.int64()),  # what stands in bronze
        ("identifier", pa.string()),  # what the hospital calls it
        ("attribute", pa.string()),  # which identifier: ipp, ins, name…
    ]
)


@dataclass(frozen=True)
class Crosswalk:
    """Encrypted file per source in ``W/identity``; written before the data that needs it.

    A crosswalk without rows in OMOP is harmless; rows without a crosswalk never find their patient again.
    """

    folder: Path
    key: bytes
    retired: tuple[bytes, ...] = ()  # former keys: they open what a rotation has not reached yet

    def _path(self, source: str) -> Path:
        return self.folder / f"{source}.crosswalk"

    def merge(self, source: str, rows: pa.Table) -> int:
        """Add what is new; the file is replaced in one rename. Returns the rows it then holds."""
        known, given = self._read(source), rows.select(SCHEMA.names).cast(SCHEMA)
        # Of many known rows only those with a given hash can be among the given ones.
        has_given = pc.is_in(known["hash"], given["hash"].unique())
        near = known.filter(has_given)
        both = pa.concat_tables([near, given]).group_by(SCHEMA.names, use_threads=False).aggregate([])
        if both.num_rows == near.num_rows:
            return known.num_rows
        merged = pa.concat_tables([known.filter(pc.invert(has_given)), both.select(SCHEMA.names)])
        merged = merged.sort_by([(name, "ascending") for name in ("kind", "hash", "attribute", "identifier")])
        self._write(source, merged)
        return merged.num_rows

    def rotate(self, source: str, *, why: str) -> int:
        """Close the file of a source with the key of today, whichever opened it; gives back its rows."""
        rows = self.open(source, why=why)
        if self._path(source).exists():
            self._write(source, rows)
        return rows.num_rows

    def _write(self, source: str, rows: pa.Table) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sink = io.BytesIO()
        pq.write_table(rows, sink)
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(self.key).encrypt(nonce, sink.getvalue(), source.encode())
        temporary = self._path(source).with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path(source))

    def open(self, source: str, *, why: str) -> pa.Table:
        """Every row of a source. The opening is logged first: who, when, why."""
        self._log(source, why)
        return self._read(source)

    def counts(self, source: str) -> dict[str, int]:
        """Persons that have each attribute. Numbers only: no identifier leaves, so nobody's access is logged."""
        persons = self._read(source).filter(pc.field("kind") == "person").select(["hash", "attribute"])
        counted = (
            persons.group_by(["hash", "attribute"]).aggregate([]).group_by("attribute").aggregate([([], "count_all")])
        )
        return dict(zip(counted["attribute"].to_pylist(), counted["count_all"].to_pylist(), strict=True))

    def _read(self, source: str) -> pa.Table:
        path = self._path(source)
        if not path.exists():
            return SCHEMA.empty_table()
        sealed = path.read_bytes()
        for key in (self.key, *self.retired):
            with suppress(InvalidTag, ValueError):  # another key, a changed file, or one cut short
                clear = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], source.encode())
                return pq.read_table(io.BytesIO(clear))
        raise TerminalError(
            f"the crosswalk of {source} does not open with the secrets of this run",
            looked=str(path),
            do="give the secrets that the workspace was made with (PASSERELLE_SECRET_CROSSWALK or the keys file); "
            "if they are the same the file was changed: restore it from your backup",
        )

    def _log(self, source: str, why: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        entry = {"at": datetime.now(UTC).isoformat(), "who": getpass.getuser(), "source": source, "why": why}
        with (self.folder / "access.log").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def openings(self) -> Iterator[dict[str, str]]:
        """The access log, oldest first."""
        path = self.folder / "access.log"
        if path.exists():
            yield from (json.loads(line) for line in path.read_text().splitlines())


def identifiers_of(crosswalk: pa.Table, kind: str, hashed: int) -> dict[str, str]:
    """Identifiers of one person or stay: attribute → identifier."""
    rows = crosswalk.filter((pc.field("kind") == kind) & (pc.field("hash") == hashed))
    return dict(zip(rows["attribute"].to_pylist(), rows["identifier"].to_pylist(), strict=True))
