"""What must be true of every run over a hostile copy, counted apart from the product: rows, keys, words of an error."""

import csv
import gzip
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omop.cdm import table as cdm_table
from omop.lake import Lake
from omop.snapshot import dataset_of, last_snapshot
from passerelle import runs
from passerelle.ledger import OUTCOMES, ledger
from tests.hostile.mutated_copies import Copy
from tests.hostile.mutations import CSV, FHIR
from tests.hostile.small_copies import read_bytes

csv.field_size_limit(sys.maxsize)
UNREADABLE = "resource/unreadable"


# --- Words ---------------------------------------------------------------------------------------------------------


def private_words(copy: Copy) -> set[str]:
    """Values of a good copy that no message may repeat: identifiers, names, days of birth."""
    found: set[str] = set()
    for path in copy.paths():
        file = copy.read(path)
        if file.header:
            table = copy.source.tables[file.table]
            private = [file.header.index(c) for c in (*table.identity_columns, *table.crosswalk) if c in file.header]
            found |= {row[i] for row in file.records for i in private}
        else:
            found |= {str(value) for record in file.records for value in _of_people(record)}
    return {word for word in found if len(word) > 3}


def _of_people(record: dict[str, Any]) -> Iterable[str]:
    yield record["id"]
    if record["resourceType"] == "Patient":
        yield record["birthDate"]
        yield from (identifier["value"] for identifier in record.get("identifier", ()))
        yield from (name["family"] for name in record.get("name", ()))


def said_well(out: str, err: str, private: set[str]) -> dict[str, Any]:
    """The error of a run that failed: one object, the same as text, no traceback, nothing unexpected, nobody named."""
    (line,) = [line for line in out.splitlines() if line.strip()]
    told: dict[str, Any] = json.loads(line)
    shown = err[err.index("error: ") :]
    assert told["what"] and told["do"], told
    assert "unexpected" not in told["what"] and "Traceback" not in err, shown
    assert len(shown) < 2_000, f"{len(shown)} letters"
    named = {*re.findall(r"[\w.@-]+", shown), *re.split(r"[\W_]+", shown)} & private
    assert not named, f"a message repeats {len(named)} value(s) of people: {shown}"
    return told


# --- Rows ----------------------------------------------------------------------------------------------------------


def counted(copy: Copy) -> dict[str, int]:
    """Records of each table (of each type of resource) as they lie in the files."""
    if copy.form in FHIR:
        return dict(_resources(copy))
    delimiter = copy.source.files.delimiter if copy.form == CSV else ","
    found = {}
    for name, table in copy.source.tables.items():
        path = copy.folder / (table.path or f"{name}.csv")
        rows = _rows(read_bytes(path).decode(copy.encoding), delimiter) if path.is_file() else [[]]
        found[name] = len(rows) - 1
    return found


def _rows(text: str, delimiter: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]


def _resources(copy: Copy) -> Counter[str]:
    found: Counter[str] = Counter()
    elements = _counted_by_elements(copy)
    for path in sorted(copy.folder.rglob("*.gz")):
        if path.is_file():
            text = gzip.decompress(path.read_bytes())
            parts = [text] if path.name.endswith(".json.gz") else text.split(b"\n")
            nodes = [_parsed(part) for part in parts if part.strip()]
            found.update(kind for node in nodes for kind in _kinds(node, elements, copy.source.fhir.bundles))
    return found


def _counted_by_elements(copy: Copy) -> dict[str, str]:
    """Type of resource → the list in it, where only the elements of that list are rows; without one it counts once."""
    tables = copy.source.tables.values()
    whole = {table.resource for table in tables if not (table.for_each or table.for_each_or_null)}
    return {str(table.resource): str(table.for_each) for table in tables if table.resource not in whole}


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(word: str) -> None:
    raise ValueError(word)


def _kinds(node: Any, elements: dict[str, str], bundles: Collection[str]) -> Iterator[str]:
    """The type of every resource in a JSON text; what is none, or cannot be read, is unreadable."""
    kind = node.get("resourceType") if isinstance(node, dict) else None
    if not isinstance(kind, str) or not re.fullmatch("[A-Z][A-Za-z]{1,39}", kind):
        yield UNREADABLE
    elif kind != "Bundle":
        inside = node.get(elements.get(kind, ""))
        yield from [kind] * (len(inside) or 1 if isinstance(inside, list) else 1)
    elif (
        isinstance(node.get("type"), str)
        and node["type"] in bundles
        and isinstance(entries := node.get("entry", []), list)
    ):
        for entry in entries:
            yield from _kinds(entry.get("resource") if isinstance(entry, dict) else None, elements, bundles)
    else:
        yield UNREADABLE


def read_by_the_run(copy: Copy, entries: list[dict[str, Any]]) -> dict[str, int]:
    """The same from the ledger: what the run says that it has read."""
    read = {entry["source_table"]: entry["read"] for entry in entries}
    if copy.form not in FHIR:
        return read
    found: Counter[str] = Counter()
    elements = _counted_by_elements(copy)
    for name, n in read.items():
        table = copy.source.tables.get(name)
        if table is None:
            found[name if name == UNREADABLE else name.removeprefix("resource/")] += n
        elif not (table.for_each or table.for_each_or_null) or table.resource in elements:
            found[str(table.resource)] += n
    return {kind: n for kind, n in found.items() if n}


# --- Tables --------------------------------------------------------------------------------------------------------


def check_accounts(copy: Copy, lake: Lake) -> None:
    """Every record that is in the files was read, and every one that was read has one fate."""
    entries = ledger(lake, copy.source.name)
    for entry in entries:
        assert entry["read"] == sum(entry[outcome] for outcome in OUTCOMES), entry
    there, read = counted(copy), read_by_the_run(copy, entries)
    differing = {name: (there.get(name, 0), read.get(name, 0)) for name in there | read}
    assert not {name: pair for name, pair in differing.items() if pair[0] != pair[1]}, (
        f"(in the files, read): {differing}"
    )


def check_tables(copy: Copy, lake: Lake) -> None:
    """The rows of OMOP are those that the ledger counts; keys name one row; nobody points to nobody."""
    run = runs.last_with(lake, copy.source.name, "published")
    assert run is not None
    snapshot = last_snapshot(lake)
    tables = {name: dataset_of(lake, snapshot, f"omop.{name}").to_table() for name in run.events["mapped"]["tables"]}
    for name, facts in run.events["mapped"]["tables"].items():
        table, declared = tables[name], cdm_table(name)
        assert table.num_rows == facts["rows"], name
        for column in declared.columns:
            if column.required and column.name in table.column_names:
                assert table[column.name].null_count == 0, f"{name}.{column.name}"
        if declared.primary_key:
            assert len(pc.unique(table[declared.primary_key])) == table.num_rows, f"{name}: a key twice"
        if "person_id" in table.column_names and name != "person":
            people = pc.unique(tables["person"]["person_id"])
            assert pc.all(pc.is_in(table["person_id"], people)).as_py() in (True, None), f"{name}: nobody's rows"
        _ends_follow_starts(name, table)
    _traced(lake, snapshot.versions["ops.provenance"], ledger(lake, copy.source.name))


def _ends_follow_starts(name: str, table: pa.Table) -> None:
    for end in (column for column in table.column_names if column.endswith(("_end_date", "_end_datetime"))):
        start = end.replace("_end_", "_start_")
        if start in table.column_names and name not in ("drug_era", "condition_era", "dose_era"):
            assert pc.any(pc.less(table[end], table[start])).as_py() in (False, None), f"{name}.{end}"


def _traced(lake: Lake, version: int, entries: list[dict[str, Any]]) -> None:
    """Each source row that was mapped left a trace: a row of OMOP that leads back to it."""
    from omop.delta_read import dataset

    traced = dataset(lake.ops("provenance"), version).to_table().to_pylist()
    rows: dict[str, set[int]] = {}
    for row in traced:
        rows.setdefault(row["source_table"], set()).add(row["source_row"])
    for entry in entries:
        mapped = entry["mapped"] + entry["routed"]
        assert len(rows.get(entry["source_table"], ())) == mapped, entry
