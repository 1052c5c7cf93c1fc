"""Keyed hashes of identifiers: the only form in which a person or a stay passes the door."""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
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
    own_notes: bytes | None = None  # None: the keys are older than this secret
    retired: tuple[bytes, ...] = ()  # former secrets of the crosswalk, newest first: they open, they never close

    @property
    def notes(self) -> bytes:
        """The secret of what is done to note text; one derived from that of the persons where the keys have none."""
        return self.own_notes or hmac.new(self.identity, b"notes", hashlib.sha256).digest()

    def of(self, kind: IdentityKind) -> bytes:
        """The secret that hashes identifiers of a kind."""
        return {"person": self.identity, "stay": self.stays, "rest": self.rest}[kind]

    @property
    def fingerprint(self) -> str:
        """Tells two sets of secrets apart without giving any of them away."""
        joined = b"".join((self.identity, self.stays, self.rest, self.own_notes or b""))
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
        for name in _NAMES
        if (value := getattr(settings, f"secret_{name}")) is not None
    }
    before = settings.secret_crosswalk_before
    retired = [before.get_secret_value().encode()] if before is not None else []
    if given.keys() >= _NEEDED:
        return _derive(given, retired), "settings"
    stored = read_or_make_keys(settings.keys_file)
    retired += [read_or_make_keys(path)["crosswalk"] for path in retired_keys(settings.keys_file)]
    return _derive({**stored, **given}, retired), str(settings.keys_file)


def read_or_make_keys(path: Path) -> dict[str, bytes]:
    """Secrets of a keys file; the file is made when it does not exist."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_once(path, _keys_text({name: secrets.token_bytes(SECRET_BYTES) for name in _NAMES}))
    try:
        content = json.loads(path.read_text())
        present = [name for name in _NAMES if name in _NEEDED or name in content]
        found = {name: base64.b64decode(content[name], validate=True) for name in present}
        if short := [name for name, secret in found.items() if len(secret) < MIN_SECRET_BYTES]:
            raise ValueError(f"{', '.join(short)}: fewer than {MIN_SECRET_BYTES} bytes")
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise TerminalError(
            "the keys file cannot be read as a set of secrets",
            looked=str(path),
            do="restore it from your backup; without it the keys of an existing workspace cannot be made again",
        ) from error


def retired_keys(path: Path) -> list[Path]:
    """Keys files that a rotation has set aside, newest first; a crosswalk of another workspace may still need them."""
    return sorted(path.parent.glob(f"{path.name}.*Z"), reverse=True)


def renew_crosswalk_secret(path: Path) -> Path:
    """Give a keys file a new secret of the crosswalk; gives back the former file, kept beside it under today's date.

    The former file stands before the new one replaces it: killed at any moment, no secret is lost.
    """
    read_or_make_keys(path)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two rotations at once: the second sets aside what the first has made
        kept = read_or_make_keys(path)
        former = path.with_name(f"{path.name}.{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}")
        _write_once(former, path.read_text())
        renewed = path.with_name(f"{path.name}.new")
        renewed.unlink(missing_ok=True)
        _write_once(renewed, _keys_text({**kept, "crosswalk": secrets.token_bytes(SECRET_BYTES)}))
        renewed.replace(path)
    return former


def _keys_text(secrets_: Mapping[str, bytes]) -> str:
    return json.dumps({name: base64.b64encode(secret).decode() for name, secret in secrets_.items()}, indent=1)


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


_NEEDED = frozenset(("identity", "stays", "rest", "crosswalk"))
_NAMES = ("identity", "stays", "rest", "crosswalk", "notes")


def _derive(parts: Mapping[str, bytes], retired: Iterable[bytes] = ()) -> Secrets:
    """Secrets of any length become 32 bytes each, bound to their purpose."""

    def bound(name: str, secret: bytes) -> bytes:
        return hmac.new(secret, name.encode(), hashlib.sha256).digest()

    return Secrets(
        **{name: bound(name, parts[name]) for name in sorted(_NEEDED)},
        own_notes=bound("notes", parts["notes"]) if "notes" in parts else None,
        retired=tuple(bound("crosswalk", secret) for secret in retired),
    )
