"""Files of FHIR resources: NDJSON, one resource, or a Bundle; plain or gzipped. One resource after the other."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from passerelle.errors import SourceError

Resource = dict[str, Any]

LINES, DOCUMENTS = (".ndjson", ".jsonl"), (".json",)
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,39}")  # it becomes the name of an account: nothing else can stand there
ELEMENTS, NUMBERS = 10**4, 10**9  # that a position can tell apart: of a resource, of a file


@dataclass(slots=True)
class Found:
    """A resource, or the reason why there is none, and where: its line, or which entry of the Bundle it is."""

    file: int  # in the order of the names; the first is 1
    number: int
    resource: Resource | None
    reason: str = ""
    keys: dict[str, str] = field(default_factory=dict)  # of its Bundle: fullUrl → id
    suspect: bool = False  # the text of the file holds a modifier, or an escape that may be half a character

    def position(self, element: int = 0) -> int:
        """File, number and element in the digits of one number: 7_000000012_0003."""
        return (self.file * NUMBERS + self.number) * ELEMENTS + element


def fhir_files(source: str, folder: Path) -> list[Path]:
    """Every file of FHIR below a folder, in the order of their names.

    Raises: SourceError: there is none.
    """
    found = [path for path in sorted(folder.rglob("*")) if _kind(path) and path.is_file()]
    if not found:
        raise SourceError(
            f"{source}: no file of FHIR resources is there",
            looked=f"{folder}: {', '.join(f'*{s}, *{s}.gz' for s in (*LINES, *DOCUMENTS))}",
            do="give the folder that holds them with --input",
        )
    return found


def _kind(path: Path) -> str:
    suffixes = path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]
    return suffixes[0] if suffixes and suffixes[0] in (*LINES, *DOCUMENTS) else ""


def read_resources(
    source: str, files: Iterable[Path], bundles: Iterable[str], limit: int | None = None
) -> Iterator[Found]:
    """Every resource of the files.

    Args:
        bundles: types of Bundle that are opened; another one is one bad record.
        limit: of each file about the first so many; None: all.

    Raises: SourceError: a compressed file is truncated or damaged; it gives the number of the file, and the line.
    """
    opener = _Bundles(frozenset(bundles))
    for number, path in enumerate(files, start=1):
        last = 0
        for line, raw in _texts(source, path, number):
            for found in opener.open(raw, number):
                # The line; behind it where a line holds a whole Bundle, so that two resources never share a number.
                found.number = last = max(line, last + 1)
                yield found
            if limit is not None and last >= limit:
                break


def _texts(source: str, path: Path, number: int) -> Iterator[tuple[int, bytes]]:
    """(line, text) of each JSON text of a file; a document is one text."""
    line = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            if _kind(path) in DOCUMENTS:
                yield 1, file.read()
                return
            for line, raw in enumerate(file, start=1):
                if raw.strip():
                    yield line, raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            # Its name is not repeated: exports of one file a patient are named by their patients.
            f"{source}: file {number}: the compressed file is truncated or damaged after line {line}",
            looked=f"{path.parent}, in the order of the names: {error}",
            do="have the file sent again; nothing of it was loaded",
        ) from error


class _Bundles:
    """Turns a JSON text into resources."""

    def __init__(self, types: frozenset[str]) -> None:
        self.types = types
        # Decimals keep their digits: 0.10 is not 0.1 in FHIR.
        self.decoder = json.JSONDecoder(parse_float=str, parse_constant=_no_json)

    def open(self, raw: bytes, file: int) -> Iterator[Found]:
        try:
            content = self.decoder.decode(raw.decode("utf-8-sig"))
        except UnicodeDecodeError:
            yield Found(file, 0, None, "not UTF-8")
            return
        except (ValueError, RecursionError):
            yield Found(file, 0, None, "not JSON")
            return
        suspect = b'"modifierExtension"' in raw or b'"implicitRules"' in raw or b"\\u" in raw
        for found in self._resources(content, file, {}):
            found.suspect = suspect
            yield found

    def _resources(self, content: Any, file: int, keys: dict[str, str]) -> Iterator[Found]:
        if not isinstance(content, dict):
            yield Found(file, 0, None, "not an object")
        elif not isinstance(content.get("resourceType"), str) or not _TYPE.fullmatch(content["resourceType"]):
            yield Found(file, 0, None, "no resourceType")
        elif content["resourceType"] != "Bundle":
            yield Found(file, 0, content, keys=keys)
        elif not isinstance(content.get("type"), str) or content["type"] not in self.types:
            kind = content["type"] if content.get("type") in _BUNDLE_TYPES else "unknown"
            yield Found(file, 0, None, f"a Bundle of type {kind}, which `fhir: {{bundles: …}}` does not name")
        else:
            entries = content.get("entry", [])
            if not isinstance(entries, list):
                yield Found(file, 0, None, "a Bundle whose entries are no list")
                return
            inside = keys | _keys([entry for entry in entries if isinstance(entry, dict)])
            for entry in entries:
                if isinstance(entry, dict) and "resource" in entry:
                    yield from self._resources(entry["resource"], file, inside)
                else:
                    yield Found(file, 0, None, "an entry of a Bundle without a resource")


_BUNDLE_TYPES = (
    "document", "message", "transaction", "transaction-response", "batch", "batch-response", "history", "searchset",
    "collection",
)  # fmt: skip


def _keys(entries: list[Resource]) -> dict[str, str]:
    """fullUrl → id of the resources of a Bundle; one without an id is called by its urn:uuid."""
    keys = {}
    for entry in entries:
        url, resource = entry.get("fullUrl"), entry.get("resource")
        if isinstance(url, str) and isinstance(resource, dict):
            if "id" not in resource and url.startswith("urn:uuid:"):
                resource["id"] = url.removeprefix("urn:uuid:")
            if isinstance(resource.get("id"), str):
                keys[url] = resource["id"]
    return keys


def _no_json(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
