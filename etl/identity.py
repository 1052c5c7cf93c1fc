"""Keyed hashes of identifiers: the only form in which a person or a stay passes the door."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from etl.declaration import IdentityKind
from passerelle.errors import TerminalError
from passerelle.settings import Settings

POSITIVE_63_BITS = 2**63 - 1
SECRET_BYTES = 32
MIN_SECRET_BYTES = 16


@dataclass(frozen=True, repr=False)
class Secrets:
    """One secret a category, so that knowing one opens nothing of another."""

    identity: bytes
    stays: bytes
    rest: bytes
    crosswalk: bytes

    def of(self, kind: IdentityKind) -> bytes:
        """The secret that hashes identifiers of a kind."""
        return {"person": self.identity, "stay": self.stays, "rest": self.rest}[kind]

    @property
    def fingerprint(self) -> str:
        """Tells two sets of secrets apart without giving any of them away."""
        joined = b"".join((self.identity, self.stays, self.rest))
        return hmac.new(joined, b"passerelle secrets", hashlib.sha256).hexdigest()[:16]

    def engine_salt(self, source: str) -> int:
        """A 63-bit number derived from the secret of the rest, the only one that the engine ever sees."""
        return keyed_hash(self.rest, f"engine salt of {source}")


def keyed_hash(secret: bytes, value: str) -> int:
    """63-bit keyed hash (BLAKE2b, RFC 7693) of a text.

    Example:
        >>> keyed_hash(b"k" * 32, "8001234567") == keyed_hash(b"k" * 32, "8001234567")
        True
    """
    digest = hashlib.blake2b(value.encode(), key=secret, digest_size=8).digest()
    return int.from_bytes(digest, "big") & POSITIVE_63_BITS


def pseudonymise(column: pa.Array | pa.ChunkedArray, secret: bytes, source: str, kind: IdentityKind) -> pa.ChunkedArray:
    """Replace identifiers by their keyed hash; equal identifiers give equal hashes in every table of the source.

    Args:
        column: identifiers as text, shape (n,); blanks around a value are not part of it.
        secret: the secret of the kind.
        source: name of the source, so that two hospitals never share a hash.
        kind: person, stay or rest.

    Returns: bigint, shape (n,), null where the identifier is null or empty.
    """
    trimmed = pc.utf8_trim_whitespace(column)
    encoded = (trimmed if isinstance(trimmed, pa.ChunkedArray) else pa.chunked_array([trimmed])).combine_chunks()
    dictionary = encoded.dictionary_encode()
    hashes = pa.array(
        [
            keyed_hash(secret, f"{source}|{kind}|{value}") if value else None
            for value in dictionary.dictionary.to_pylist()
        ],
        type=pa.int64(),
    )
    return pa.chunked_array([hashes.take(dictionary.indices)])


def secrets_from(settings: Settings) -> tuple[Secrets, str]:
    """The secrets of a run and where they came from.

    Given ones are taken from the settings. Those that are missing come from the keys file, which is made (readable by
    its owner only) the first time, outside every workspace: a workspace that is copied away does not carry its keys.
    """
    given = {
        name: value.get_secret_value().encode()
        for name, value in (
            ("identity", settings.secret_identity),
            ("stays", settings.secret_stays),
            ("rest", settings.secret_rest),
            ("crosswalk", settings.secret_crosswalk),
        )
        if value is not None
    }
    if len(given) == 4:
        return _derive(given), "settings"
    stored = read_or_make_keys(settings.keys_file)
    return _derive({**stored, **given}), str(settings.keys_file)


def read_or_make_keys(path: Path) -> dict[str, bytes]:
    """Secrets of a keys file; the file is made when it does not exist."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = {name: base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode() for name in _NAMES}
        _write_once(path, json.dumps(made, indent=1))
    try:
        content = json.loads(path.read_text())
        found = {name: base64.b64decode(content[name], validate=True) for name in _NAMES}
        if short := [name for name, secret in found.items() if len(secret) < MIN_SECRET_BYTES]:
            raise ValueError(f"{', '.join(short)}: fewer than {MIN_SECRET_BYTES} bytes")
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise TerminalError(
            "the keys file cannot be read as a set of secrets",
            looked=str(path),
            do="restore it from your backup; without it the keys of an existing workspace cannot be made again",
        ) from error


def _write_once(path: Path, text: str) -> None:
    """Make a file for its owner only, whole or not at all; one that another process has just made stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


_NAMES: Iterable[str] = ("identity", "stays", "rest", "crosswalk")


def _derive(parts: dict[str, bytes]) -> Secrets:
    """Secrets of any length become 32 bytes each, bound to their purpose."""
    return Secrets(**{name: hmac.new(parts[name], name.encode(), hashlib.sha256).digest() for name in _NAMES})
