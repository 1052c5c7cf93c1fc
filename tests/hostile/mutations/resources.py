"""Resources that are none."""

import json
from typing import Any

from tests.hostile.mutations.mutation import (
    BUNDLE,
    CELL,
    EITHER,
    ENDS,
    FHIR,
    NDJSON,
    RECORDS,
    TEXT,
    At,
    Record,
    mutation,
)


@mutation("an object, a list or a number where a text is expected", CELL, EITHER, formats=FHIR)
def wrong_type(at: At) -> Any:
    return at.rng.choice(({"a": [1]}, [["x"]], 7, True, None, [], {}))


@mutation("nested too deeply", CELL, EITHER, formats=FHIR)
def nested_too_deeply(at: At) -> Any:
    return _nested(at.rng.choice((40, 250)))


def _nested(depth: int) -> Any:
    node: Any = "x"
    for _ in range(depth):
        node = {"extension": [node]}
    return node


@mutation("a type of resource that nobody knows", RECORDS, EITHER, formats=FHIR)
def unknown_type(records: list[Record], at: At) -> list[Record]:
    at.rng.choice(records)["resourceType"] = at.rng.choice(("Patiente", "Mme DURAND, 1943", "X" * 2000))
    return records


@mutation("resources without type", RECORDS, EITHER, formats=FHIR)
def no_type(records: list[Record], at: At) -> list[Record]:
    del records[-1]["resourceType"]
    records[0]["resourceType"] = ["Patient"]
    return records


@mutation("resources without id, or with one that is none", RECORDS, EITHER, formats=FHIR)
def no_id(records: list[Record], at: At) -> list[Record]:
    del records[-1]["id"]
    records[0]["id"] = at.rng.choice((7, "", "a b", {"id": 1}, None, "x" * 65))
    return records


@mutation("an element that is required is missing", RECORDS, EITHER, formats=FHIR)
def element_missing(records: list[Record], at: At) -> list[Record]:
    name = at.rng.choice([key for key in records[0] if key not in ("id", "resourceType")])
    return [{key: value for key, value in record.items() if key != name} for record in records]


@mutation("things that are no resource among the resources", RECORDS, EITHER, formats=FHIR)
def no_resources(records: list[Record], at: At) -> list[Record]:
    return [*records, ["a"], "a", 7, None, {}, [], records[0] | {"resourceType": "Bundle"}]


@mutation("the list of entries is no list", TEXT, EITHER, formats=(BUNDLE,))
def entries_no_list(text: bytes, at: At) -> bytes:
    bundle = json.loads(text)
    return json.dumps(bundle | {"entry": {"0": bundle["entry"][0]}}).encode()


@mutation("entries that are no objects", TEXT, EITHER, formats=(BUNDLE,))
def strange_entries(text: bytes, at: At) -> bytes:
    bundle = json.loads(text)
    return json.dumps(bundle | {"entry": [*bundle["entry"], "a", 7, None, []]}).encode()


@mutation("a Bundle of a type that is not read", TEXT, EITHER, formats=(BUNDLE,))
def another_bundle(text: bytes, at: At) -> bytes:
    return json.dumps(json.loads(text) | {"type": at.rng.choice(("history", "zzz", None, ["batch"]))}).encode()


@mutation("a Bundle in a Bundle", TEXT, ENDS, formats=(BUNDLE,))
def bundle_in_a_bundle(text: bytes, at: At) -> bytes:
    inner = json.loads(text)
    return json.dumps(inner | {"entry": [{"resource": inner}]}).encode()


@mutation("a JSON that is nested a hundred thousand times", TEXT, EITHER, formats=FHIR)
def abyss(text: bytes, at: At) -> bytes:
    return b"[" * 100_000 + b"\n" + text


@mutation("a resource on several lines", TEXT, EITHER, formats=(NDJSON,))
def several_lines(text: bytes, at: At) -> bytes:
    first, _, others = text.partition(b"\n")
    return json.dumps(json.loads(first), indent=1).encode() + b"\n" + others


@mutation("a key that stands twice in an object", TEXT, EITHER, formats=FHIR)
def key_twice(text: bytes, at: At) -> bytes:
    return text.replace(b"{", b'{"id": "twice", ', 1)
