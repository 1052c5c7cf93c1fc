"""The FHIR reader: the same resources in any file give the same rows, and each that gives none is accounted for."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.declaration import OWN_NAMING, Source
from etl.readers.csv import LINE
from etl.readers.fhir_r4 import FhirFolder
from fhir_adapters.build import build
from fhir_adapters.exact_json import dumps
from fhir_adapters.example import RENAL_DOSE
from fhir_adapters.site import CANONICAL, Site
from passerelle.errors import SourceError

DECLARED = """
name: here
label: some resources
kind: fhir_r4
timezone: UTC
cdm_source: {cdm_source_name: x, cdm_source_abbreviation: x, cdm_holder: x, source_release_date: 2025-01-01}
fhir: {version: 4.0.1, bundles: [document, collection, message, searchset, transaction]}
tables:
  patient:
    resource: Patient
    key: [id]
    delete_rule: {kind: absence}
    columns: {id: string, birthDate: date, family: {path: name.family}}
  observation:
    resource: Observation
    optional: true
    key: [id]
    delete_rule: {kind: absence}
    columns:
      id: string
      subject: {path: subject.getReferenceKey(Patient)}
      code: {path: code.coding.byPreference().first().code}
      value: {path: value.ofType(Quantity).value, type: double}
  component:
    resource: Observation
    where: ["code.coding.exists(code = '85354-9')"]
    for_each: component
    optional: true
    key: [observation, element]
    delete_rule: {kind: absence}
    columns:
      observation: {path: "%resource.id"}
      element: {path: "%rowIndex", type: bigint}
      code: {path: code.coding.first().code}
      value: {path: value.ofType(Quantity).value, type: double}
unused: {Claim: money}
"""
SOURCE = Source.model_validate(yaml.safe_load(DECLARED))
Json = dict[str, Any]


def coded(code: str, value: str | None = None) -> Json:
    quantity = {} if value is None else {"valueQuantity": {"value": float(value)}}
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}} | quantity


def observation(id_: str, **more: Any) -> Json:
    return {"resourceType": "Observation", "id": id_, "subject": {"reference": "Patient/p1"}, **more}


PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1943-02-11", "name": [{"family": "Zurbriggen"}]}
PRESSURE = observation("o1", **coded("85354-9"), component=[coded("8480-6", "120.5"), coded("8462-4", "80.0")])
WEIGHT = observation("o2", **coded("29463-7", "71.25"))
RESOURCES: list[Json] = [PATIENT, PRESSURE, WEIGHT]


def write(path: Path, resources: list[Json], form: str) -> None:
    """The resources as one of the forms in which servers send them."""
    path.mkdir(parents=True, exist_ok=True)
    if form.startswith("ndjson"):
        _write(path / "all.ndjson", "\n".join(json.dumps(r) for r in resources), form)
    elif form.startswith("single"):
        for i, resource in enumerate(resources):
            _write(path / f"{i}.json", json.dumps(resource, indent=1), form)
    else:
        kind = form.partition(".")[0]
        entries = [{"fullUrl": f"urn:uuid:{r.get('id')}", "resource": r} for r in resources]
        _write(path / "b.json", json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}), form)


def _write(path: Path, text: str, form: str) -> None:
    if form.endswith(".gz"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


def read(folder: Path, source: Source = SOURCE) -> tuple[dict[str, list[Json]], FhirFolder]:
    """Rows of each table, without their positions, sorted; and the folder with its accounts."""
    fhir = FhirFolder(source, folder)
    rows: dict[str, list[Json]] = {name: [] for name in fhir.tables}
    for name, batch in fhir.batches(set(fhir.tables)):
        rows[name] += batch.to_pylist()
    positions = [(name, row.pop(LINE)) for name, found in rows.items() for row in found]
    assert len(positions) == len(set(positions)), "two rows of a table stand in one place"
    return {name: sorted(found, key=repr) for name, found in rows.items()}, fhir


def accounts(fhir: FhirFolder) -> dict[str, Json]:
    return {
        kind: {**aside.excluded} | {bad.reason.partition(": ")[2]: aside.read for bad in aside.bad}
        for kind, aside in fhir.aside.items()
    }


def test_a_blood_pressure_becomes_one_row_a_component(tmp_path):
    write(tmp_path, RESOURCES, "ndjson")
    rows, fhir = read(tmp_path)
    assert rows == {
        "patient": [{"id": "p1", "birthDate": "1943-02-11", "family": "Zurbriggen"}],
        "observation": [
            {"id": "o1", "subject": "p1", "code": "85354-9", "value": None},
            {"id": "o2", "subject": "p1", "code": "29463-7", "value": "71.25"},
        ],
        "component": [
            {"observation": "o1", "element": "0", "code": "8480-6", "value": "120.5"},
            {"observation": "o1", "element": "1", "code": "8462-4", "value": "80.0"},
        ],
    }
    assert {name: table.read for name, table in fhir.tables.items()} == {"patient": 1, "observation": 2, "component": 2}
    assert fhir.aside == {}


IDS = st.from_regex(r"[A-Za-z0-9\-.]{1,8}", fullmatch=True)
VALUES = st.floats(allow_nan=False, allow_infinity=False, width=32).map(str)
OBSERVATIONS = st.builds(
    lambda id_, code, value, parts: observation(id_, **coded(code, value), component=parts),
    IDS,
    st.sampled_from(["85354-9", "29463-7", "é\u2028 "]),
    VALUES,
    st.lists(st.builds(coded, st.sampled_from(["8480-6", "8462-4"]), VALUES), max_size=3),
)
FORMS = (
    "single",
    "document",
    "collection",
    "message",
    "searchset",
    "transaction",
    "ndjson.gz",
    "single.gz",
    "message.gz",
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(resources=st.lists(OBSERVATIONS, max_size=6), form=st.sampled_from(FORMS), seed=st.integers(0, 2**32))
def test_any_form_and_any_order_give_the_same_rows(resources, form, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    write(folder / "ndjson", [PATIENT, *resources], "ndjson")
    shuffled = [PATIENT, *resources]
    random.Random(seed).shuffle(shuffled)
    write(folder / "other", shuffled, form)
    assert read(folder / "other")[0] == read(folder / "ndjson")[0]


def test_lines_that_hold_bundles_are_opened(tmp_path):
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in (PRESSURE, WEIGHT)]}
    (tmp_path / "all.ndjson").write_text(f"{json.dumps(bundle)}\n\n{json.dumps(PATIENT)}\n")
    assert {name: len(found) for name, found in read(tmp_path)[0].items()} == {
        "patient": 1, "observation": 2, "component": 2,
    }  # fmt: skip


# --- What gives no row ---------------------------------------------------------------------------------------------


def test_a_resource_of_a_transaction_without_id_is_called_by_its_uuid(tmp_path):
    patient = {"resourceType": "Patient", "birthDate": "1950-01-01"}
    weight = {"resourceType": "Observation", "subject": {"reference": "urn:uuid:aaa"}, **coded("29463-7", "70.0")}
    known = observation("server-7", subject={"reference": "urn:uuid:aaa"}, **coded("8302-2", "170.0"))
    entries = [("aaa", patient), ("bbb", weight), ("ccc", known)]
    bundle = {"resourceType": "Bundle", "type": "transaction"}
    bundle["entry"] = [{"fullUrl": f"urn:uuid:{uuid}", "resource": r} for uuid, r in entries]  # type: ignore[assignment]
    (tmp_path / "b.json").write_text(json.dumps(bundle))
    rows = read(tmp_path)[0]
    assert [row["id"] for row in rows["patient"]] == ["aaa"]
    assert [(row["id"], row["subject"]) for row in rows["observation"]] == [("bbb", "aaa"), ("server-7", "aaa")]


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ('{"resourceType": "Patient", "id": ', "unreadable", "not JSON"),
        ('{"resourceType": "Patient", "id": NaN}', "unreadable", "not JSON"),
        ("[" * 100_000, "unreadable", "not JSON"),
        (b"\xff\xfe{}", "unreadable", "not UTF-8"),
        ("[]", "unreadable", "not an object"),
        ('{"id": "p2"}', "unreadable", "no resourceType"),
        ('{"resourceType": 7}', "unreadable", "no resourceType"),
        ('{"resourceType": "mme Durand, 1943"}', "unreadable", "no resourceType"),
        ('{"resourceType": "Bundle", "type": "history", "entry": []}', "unreadable", "a Bundle of type history, which"),
        ('{"resourceType": "Bundle", "type": "message", "entry": [{}]}', "unreadable", "an entry of a Bundle without"),
        ('{"resourceType": "Bundle", "type": "message", "entry": ["a"]}', "unreadable", "an entry of a Bundle without"),
        ('{"resourceType": "Bundle", "type": "message", "entry": {"a": {}}}', "unreadable", "a Bundle whose entries"),
        ('{"resourceType": "Bundle", "type": ["message"], "entry": []}', "unreadable", "a Bundle of type unknown"),
        ('{"resourceType": "Patient"}', "Patient", "no id"),
        ('{"resourceType": "Patient", "id": "a b"}', "Patient", "its id is not one of FHIR"),
        ('{"resourceType": "Patient", "id": "p2", "birthDate": "\\ud800"}', "Patient", "half a character"),
        ('{"resourceType": "Goal", "id": "g"}', "Goal", "no table takes it"),
        (json.dumps(WEIGHT | {"modifierExtension": [{"url": "urn:not-done"}]}), "Observation", "modifierExtension"),
        (json.dumps(PRESSURE | {"component": [{"modifierExtension": []}]}), "Observation", "modifierExtension"),
        (json.dumps(WEIGHT | {"implicitRules": "urn:rules"}), "Observation", "modifierExtension or implicitRules"),
    ],
)
def test_a_bad_resource_is_set_aside_with_its_place_and_the_others_stay(line, kind, reason, tmp_path):
    text = line if isinstance(line, bytes) else line.encode()
    (tmp_path / "all.ndjson").write_bytes(json.dumps(PATIENT).encode() + b"\n" + text + b"\n")
    rows, fhir = read(tmp_path)
    (bad,) = fhir.aside[kind].bad
    assert bad.reason.startswith(f"file 1: {reason}")
    assert bad.line == 1_000000002_0000
    assert len(rows["patient"]) == 1


def test_a_value_that_is_many_or_an_object_sets_its_row_aside(tmp_path):
    two = PATIENT | {"id": "p2", "name": [{"family": "A"}, {"family": "B"}]}
    nested = observation("o3", code={"coding": [{"code": {"not": "a code"}}]})
    write(tmp_path, [PATIENT, two, nested], "ndjson")
    _, fhir = read(tmp_path)
    assert [bad.reason for bad in fhir.tables["patient"].bad] == [
        "file 1: family has 2 values: choose with first(), where() or join()"
    ]
    assert [bad.reason for bad in fhir.tables["observation"].bad] == ["file 1: code is an object, not a value"]
    assert fhir.tables["patient"].read == 2


def test_a_type_that_is_declared_unused_is_excluded_by_rule(tmp_path):
    write(tmp_path, [PATIENT, {"resourceType": "Claim", "id": "c"}], "ndjson")
    assert accounts(read(tmp_path)[1]) == {"Claim": {"declared_unused": 1}}


def test_a_resource_without_the_elements_that_would_be_its_rows_is_excluded_by_rule(tmp_path):
    tables = {name: table for name, table in SOURCE.tables.items() if name != "observation"}
    source = SOURCE.model_copy(update={"tables": tables})
    empty = {name: value for name, value in PRESSURE.items() if name != "component"}
    write(tmp_path, [PATIENT, PRESSURE, empty | {"id": "none"}], "ndjson")
    assert accounts(read(tmp_path, source)[1]) == {"Observation": {"no_element": 1}}


def test_a_truncated_file_is_one_error_that_gives_file_and_line(tmp_path):
    write(tmp_path, RESOURCES * 2000, "ndjson.gz")
    packed = (tmp_path / "all.ndjson.gz").read_bytes()
    (tmp_path / "all.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(SourceError) as error:
        read(tmp_path)
    assert "file 1: the compressed file is truncated or damaged after line " in error.value.what


def test_a_table_that_nothing_fills_is_an_error_unless_it_may_be_absent(tmp_path):
    write(tmp_path, [WEIGHT], "ndjson")
    fhir = FhirFolder(SOURCE, tmp_path)
    with pytest.raises(SourceError, match="no Patient that is one of its rows was found"):
        fhir.stage("patient", lambda _: _Nowhere())
    assert fhir.stage("component", lambda _: _Nowhere()).read == 0


def test_a_folder_without_fhir_is_an_error(tmp_path):
    (tmp_path / "LICENSE.txt").write_text("free")
    with pytest.raises(SourceError, match="no file of FHIR"):
        FhirFolder(SOURCE, tmp_path)


class _Nowhere:
    def __enter__(self) -> "_Nowhere":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, batch: Any) -> None:
        pass


# --- Our own output ------------------------------------------------------------------------------------------------


def test_what_our_models_wrote_is_excluded_even_where_a_target_took_the_marks_away(tmp_path):
    ours = [json.loads(dumps(resource)) for resource in build(RENAL_DOSE)]
    unmarked = [{name: value for name, value in r.items() if name not in ("meta", "reason")} for r in ours]
    write(tmp_path, [PATIENT, *ours, *unmarked], "transaction")
    rows, fhir = read(tmp_path)
    assert accounts(fhir) == {kind: {"own_ai_output": 2} for kind in ("Device", "DetectedIssue", "Provenance")}
    assert len(rows["patient"]) == 1


@pytest.mark.parametrize("place", ["security", "tag"])
def test_any_resource_that_a_machine_asserted_is_excluded(place, tmp_path):
    asserted = WEIGHT | {"meta": {place: [{"system": "urn:any", "code": "AIAST"}]}}
    write(tmp_path, [PATIENT, asserted], "ndjson")
    rows, fhir = read(tmp_path)
    assert accounts(fhir) == {"Observation": {"own_ai_output": 1}}
    assert rows["observation"] == []


def test_the_names_by_which_we_know_our_output_are_those_that_we_give(tmp_path):
    site = Site()
    assert [f"{site.naming_base}/", f"{CANONICAL}/"] == list(OWN_NAMING)


# --- The declaration -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("path: value.ofType(Quantity).value", "path: valueQuantity.value"), "write `value.ofType(Quantity)`"),
        (("for_each: component", "for_each: component.descendants()"), "there is no function descendants()"),
        (("for_each: component", "for_each: component\n    for_each_or_null: component"), "not both"),
        (("    resource: Patient\n", ""), "`resource` goes with kind fhir_r4"),
        (("kind: fhir_r4", "kind: files"), "which FHIR"),
        (("version: 4.0.1", "version: 5.0.0"), "4.0.1"),
        (("[document, collection", "[history, collection"), "transaction"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_refused(change, said):
    with pytest.raises(ValueError) as refused:
        Source.model_validate(yaml.safe_load(DECLARED.replace(*change)))
    assert said in str(refused.value)
