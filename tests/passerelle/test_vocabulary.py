"""The vocabulary as an input with a release: what is absent, what is not standard, what another release changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from omop.delta_read import dataset
from omop.lake import Lake
from passerelle.cli import run as cli
from tests.hospital import ROWS, write_feed, write_source

# concept_id, name, domain, vocabulary, standard, code, invalid
LAST_YEAR: list[tuple[Any, ...]] = [
    (0, "No matching concept", "Metadata", "None", "", "No matching concept", ""),
    (8507, "MALE", "Gender", "Gender", "S", "M", ""),
    (8532, "FEMALE", "Gender", "Gender", "S", "F", ""),
    (9201, "Inpatient visit", "Visit", "Visit", "S", "IP", ""),
    (32817, "EHR", "Type Concept", "Type Concept", "S", "OMOP4976890", ""),
    (32856, "Lab", "Type Concept", "Type Concept", "", "OMOP4976929", ""),
    (4329847, "Myocardial infarction", "Condition", "SNOMED", "S", "22298006", ""),
    (316139, "Heart failure", "Condition", "SNOMED", "S", "84114007", ""),
    (439727, "HIV infection", "Condition", "SNOMED", "S", "86406008", ""),
    (201826, "Type 2 diabetes", "Condition", "SNOMED", "S", "44054006", ""),
    (45591453, "Diabète de type 2", "Condition", "ICD10", "", "E11", ""),
    (45572079, "Insuffisance cardiaque", "Condition", "ICD10", "", "I50", ""),
    (45605000, "Infarctus, forme rare", "Condition", "ICD10", "", "I21.8", ""),
    (45605001, "Sans équivalent", "Observation", "ICD10", "", "Z76.5", ""),
    (45605002, "Retiré de la classification", "Condition", "ICD10", "", "B59", "D"),
    (45605003, "Vers un concept retiré", "Condition", "ICD10", "", "K35", ""),
    (4000001, "Appendicite, ancien concept", "Condition", "SNOMED", "", "1111", "U"),
    (45605004, "Vers un concept non standard", "Condition", "ICD10", "", "L20", ""),
    (4000002, "Eczéma, non standard", "Condition", "SNOMED", "", "2222", ""),
    (45605005, "Premier sens", "Condition", "ICD10", "", "M79", ""),
    (45605006, "Second sens", "Condition", "ICD10", "", "M7.9", ""),
]
MAPS = [
    (45591453, 201826), (45572079, 316139), (45605000, 999999), (45605003, 4000001), (45605004, 4000002),
    (45605005, 4329847), (45605006, 439727), (888888, 316139),
]  # fmt: skip
CODES = {
    "E11.9": "mapped to the parent code",
    "I50": None,
    "I21.8": "standard concept not in this copy of the vocabulary",
    "Z76.5": "no standard concept",
    "B59": "the concept is invalid (deprecated)",
    "K35": "the concept is invalid (deprecated)",
    "L20": "the concept is not standard",
    "M79": "mapped, but several concepts bear this code",
    "Q99.9": "code not in this copy of the vocabulary",
}
OCTOBER = [
    *(row for row in LAST_YEAR if row[0] not in (201826, 316139, 439727)),
    (316139, "Heart failure", "Observation", "SNOMED", "S", "84114007", ""),  # another domain
    (439727, "HIV infection", "Condition", "SNOMED", "", "86406008", ""),  # not standard any more
    (4200000, "Anomaly", "Condition", "SNOMED", "S", "3333", ""),
    (45605009, "Anomalie", "Condition", "ICD10", "", "Q999", ""),  # was a gap
]


def write_release(folder: Path, name: str, concepts: list[tuple[Any, ...]], maps: list[tuple[int, int]]) -> Path:
    """A release in the layout of Athena."""
    folder.mkdir(parents=True)
    day = ("19700101", "20991231")
    tables = {
        "CONCEPT": [
            ("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
             "concept_code", "valid_start_date", "valid_end_date", "invalid_reason"),
            *((i, n, d, v, "x", s, c, *day, x) for i, n, d, v, s, c, x in concepts),
        ],
        "CONCEPT_RELATIONSHIP": [
            ("concept_id_1", "concept_id_2", "relationship_id", "valid_start_date", "valid_end_date", "invalid_reason"),
            *((a, b, "Maps to", *day, "") for a, b in maps),
        ],
        "VOCABULARY": [
            ("vocabulary_id", "vocabulary_name", "vocabulary_reference", "vocabulary_version", "vocabulary_concept_id"),
            ("None", "OMOP", "tests", name, 0),
        ],
    }  # fmt: skip
    for table, rows in tables.items():
        (folder / f"{table}.csv").write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A hospital that was mapped with last year's release, and October's beside it."""
    folder = tmp_path_factory.mktemp("vocabulary")
    old = write_release(folder / "old", "v5.0 last year", LAST_YEAR, MAPS)
    new = write_release(folder / "new", "v5.0 October", OCTOBER, [*MAPS[1:], (45605009, 4200000), (45591453, 4329847)])
    diagnoses = [["iep", "code"], *(["77001", code] for code in CODES)]
    source = write_source(folder / "tiny")
    feed = write_feed(folder / "feed", {**ROWS, "diagnostic.csv": diagnoses})
    place = {"workspace": folder / "W", "old": old, "new": new, "source": source, "feed": feed}
    assert cli(["vocabulary", "load", str(old), "-w", str(place["workspace"])]) == 0
    assert cli(["run", str(source), "--input", str(feed), "-w", str(place["workspace"])]) == 0
    return place


def say(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert cli([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_each_code_without_a_standard_concept_says_why(place, capsys):
    rows = say(capsys, "gaps", "-w", str(place["workspace"]))
    said = {row["code"]: row["reason"] for row in rows if row["vocabulary"] == "CIM10"}
    assert {code: said.get(code) for code in CODES} == CODES


def test_a_code_without_a_concept_stays_in_the_row_as_it_was_written(place):
    rows = dataset(Lake(place["workspace"]).omop("condition_occurrence")).to_table().to_pylist()
    kept = {row["condition_source_value"]: row["condition_concept_id"] for row in rows}
    assert kept["Q99.9"] == 0 and kept["L20"] == 0 and kept["E11.9"] == 201826
    assert kept["I50"] == 316139


def test_the_run_counts_what_only_the_parent_code_maps(place, capsys):
    from passerelle import runs

    run = runs.last_with(Lake(place["workspace"]), "tiny", "mapped")
    assert run.events["mapped"]["vocabulary"] == "v5.0 last year"
    assert run.events["mapped"]["codes"]["CIM10"] == {
        "vocabulary_id": "ICD10", "rows": 9, "generalised": 1, "without_concept": 6,
    }  # fmt: skip


def test_status_tells_what_is_absent_from_what_is_not_standard(place, capsys):
    facts = say(capsys, "vocabulary", "status", "-w", str(place["workspace"]))
    states = {row["name"]: row["state"] for row in facts["type_concepts"]}
    assert (states["EHR"], states["Lab"], states["NLP"]) == ("standard", "not standard", "absent from this copy")
    assert facts["holes"]["relations that start from an absent concept"] == 1
    assert facts["holes"]["'Maps to' from a concept of this copy to an absent one"] == 1
    icd = next(row for row in facts["vocabularies"] if row["vocabulary"] == "ICD10")
    assert (icd["concepts"], icd["standard"], icd["invalid"]) == (9, 0, 1)


def test_diff_counts_the_rows_that_rest_on_each_change(place, capsys):
    found = say(capsys, "vocabulary", "diff", str(place["new"]), "-w", str(place["workspace"]))
    assert (found["loaded"], found["other"]) == ("v5.0 last year", "v5.0 October")
    told = {(change["kind"], change["concept_id"]): change for change in found["changes"]}
    assert told["lost", 201826]["rows"] == 1 and told["lost", 201826]["tables"] == ["condition_occurrence"]
    assert (told["moved to another domain", 316139]["before"], told["moved to another domain", 316139]["after"]) == (
        "Condition", "Observation",
    )  # fmt: skip
    assert told["no longer standard", 439727]["rows"] == 1
    assert told["maps to other concepts", 45591453]["after"] == "4329847"
    assert told["gained", 45605009]["code"] == "Q99.9"
    assert found["overall"]["gained"] == 2 and found["in_use"]["gained"] == {"concepts": 1, "rows": 1}
    assert found["overall"]["withdrawn"] == 0


def test_another_release_needs_a_yes_and_says_what_it_changes(place, capsys, tmp_path):
    workspace = str(place["workspace"])
    refused = say(capsys, "vocabulary", "load", str(place["new"]), "-w", workspace, code=2)
    assert "v5.0 October would replace v5.0 last year" in refused["what"] and "--yes" in refused["do"]
    assert "moved to another domain" in refused["looked"]
    assert say(capsys, "vocabulary", "status", "-w", workspace)["release"] == "v5.0 last year"
    assert say(capsys, "vocabulary", "load", str(place["old"]), "-w", workspace)["release"] == "v5.0 last year"
    assert say(capsys, "vocabulary", "load", str(place["new"]), "-w", workspace, "--yes")["release"] == "v5.0 October"
    assert cli(["run", str(place["source"]), "--input", str(place["feed"]), "-w", workspace]) == 0
    table = dataset(Lake(place["workspace"]).omop("observation")).to_table()
    assert table["observation_source_value"].to_pylist() == ["I50"]  # heart failure moved, and its row with it


def test_a_local_vocabulary_may_not_number_its_concepts_in_the_range_of_ohdsi(tmp_path, capsys):
    release = write_release(tmp_path / "r", "v", [*LAST_YEAR, (1234, "A", "Measurement", "OURS", "", "A", "")], [])
    with (release / "VOCABULARY.csv").open("a") as file:
        file.write("OURS\tOurs\tours\t1\t2000000001\n")
    said = say(capsys, "vocabulary", "load", str(release), "-w", str(tmp_path / "W"), code=1)
    assert "1 local concept(s)" in said["what"] and "OURS" in said["looked"] and "2000000000" in said["do"]
    assert not Lake(tmp_path / "W").omop("concept").exists()


@pytest.mark.parametrize(("own", "code"), [("2000000001", 0), ("", 0), ("1999999999", 1)])
def test_a_concept_map_may_not_either(tmp_path, own, code):
    from etl.concept_maps import read_concept_maps
    from passerelle.errors import MappingError

    (tmp_path / "concept_maps").mkdir()
    (tmp_path / "concept_maps" / "LOCAL.csv").write_text(
        f"sourceCode,conceptId,sourceConceptId,mappingStatus\nCREA,3016723,{own},APPROVED\n"
    )
    if code:
        with pytest.raises(MappingError, match="line 2"):
            read_concept_maps(tmp_path)
    else:
        assert read_concept_maps(tmp_path)["source_concept_id"].to_pylist() == [int(own or 0)]


def test_status_of_a_workspace_without_a_vocabulary_says_what_to_do(tmp_path, capsys):
    assert "vocabulary load" in say(capsys, "vocabulary", "status", "-w", str(tmp_path / "W"), code=2)["do"]
