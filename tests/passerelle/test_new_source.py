"""A hospital that nobody knows is added by following only the how-to: scan, decide, check, run, an exact ledger."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from etl.scaffold.decisions import MARK, open_decisions
from omop.delta_read import dataset
from omop.lake import Lake
from passerelle.cli import run as cli
from tests.new_hospital import FIRST, NAMES, tables, write_extract

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "add_a_source.md"


def commands(section: str) -> list[list[str]]:
    """The command lines of a section of the how-to, as a person would type them."""
    text = HOWTO.read_text(encoding="utf-8").split(f"## {section}")[1].split("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("passerelle ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def settle(source: Path, **answers: str) -> None:
    """What the how-to asks: correct a line or keep it, and remove its mark."""
    for decision in open_decisions(source):
        path = source / decision.file
        lines = path.read_text(encoding="utf-8").splitlines()
        line = lines[decision.line - 1]
        for key, answer in answers.items():
            line = re.sub(rf"^( *{key}:) .*(?=  # {MARK})", rf"\1 {answer}", line)
        lines[decision.line - 1] = re.sub(rf"\s*(#|--|<!--) {MARK}.*", "", line)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def approve(source: Path, name: str) -> None:
    """What the how-to asks of a concept map: write APPROVED where the proposal is right."""
    path = source / "concept_maps" / name
    path.write_text(path.read_text(encoding="utf-8").replace("UNCHECKED", "APPROVED"), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The extract, the source as it was written, its decisions, the source as it was settled, and the workspace."""
    folder = tmp_path_factory.mktemp("saint_elme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_extract(folder / "exports", tables())
        (scan,) = commands("1. Have it written")
        assert cli(scan) == 0
        source = folder / "our_hospital"
        written = {path.relative_to(source).as_posix(): path.read_text() for path in source.rglob("*.*")}
        decisions = open_decisions(source)
        refused = [cli(words) for words in commands("2. Decide")]
        settle(source, label="Saint-Elme", cdm_source_name="Saint-Elme", cdm_holder="CH Saint-Elme")
        approve(source, "OUR_HOSPITAL_SEXE.csv")
        approve(source, "OUR_HOSPITAL_TYPE.csv")
        done = {" ".join(words): cli(words) for words in commands("3. Check, plan, run")}
        return {
            "folder": folder, "source": source, "written": written, "decisions": decisions, "refused": refused,
            "done": done, "lake": Lake(folder / "W"),
        }  # fmt: skip


def test_the_scan_declares_what_the_files_are(place):
    declared = place["written"]["source.yaml"]
    assert 'files: {encoding: windows-1252, delimiter: ";"}' in declared
    assert 'DDN: {type: date, format: "dd/MM/yyyy"}' in declared
    assert "crosswalk: [NOM, PRENOM, ADRESSE, TEL, NIR]" in declared and "free_text: [TEXTE]" in declared
    assert (
        "change_column: DT_MAJ" in declared and "CIM10: {normalise: [trim, upper, no_dot], parents: true}" in declared
    )


def test_every_table_of_this_hospital_gets_a_first_mapping(place):
    assert {name.removeprefix("mapping/") for name in place["written"] if name.startswith("mapping/")} == {
        "care_site.sql", "condition_occurrence.sql", "death.sql", "drug_exposure.sql", "measurement.sql", "note.sql",
        "person.sql", "procedure_occurrence.sql", "visit_occurrence.sql",
    }  # fmt: skip


def test_nothing_that_was_written_holds_a_value_of_a_person(place):
    text = "\n".join(place["written"].values())
    rows = tables()["PATIENTS.csv"][1:]
    secrets = {value for row in rows for value in (row[0], row[5], row[6], row[7], row[3])}
    secrets |= {name.upper() for name in NAMES} | set(FIRST)
    assert [secret for secret in secrets if secret in text] == []


def test_a_value_is_shown_only_when_enough_people_have_it(place):
    sex = place["written"]["concept_maps/OUR_HOSPITAL_SEXE.csv"]
    assert "8532,FEMALE" in sex and "UNCHECKED" in sex and "APPROVED" not in sex
    assert "CREAT,Créatinine,118,UNCHECKED,,0,," in place["written"]["concept_maps/OUR_HOSPITAL_ANALYSE.csv"]


def test_the_open_decisions_stop_the_check_and_the_run(place, capsys, tmp_path, monkeypatch):
    assert len(place["decisions"]) >= 10 and place["refused"] == [1]
    for name, text in place["written"].items():
        (tmp_path / "undecided" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "undecided" / name).write_text(text)
    words = ["run", str(tmp_path / "undecided"), "--input", str(place["folder"] / "exports"), "-w", str(tmp_path / "W")]
    capsys.readouterr()
    assert cli([*words, "--json"]) == 1
    assert "decision(s) of this source are open" in json.loads(capsys.readouterr().out)["what"]
    assert not (tmp_path / "W").exists()


def test_every_command_of_the_howto_ends_well_once_the_decisions_are_taken(place):
    assert set(place["done"].values()) == {0}, place["done"]
    assert any(line.startswith("run") for line in place["done"])


def test_every_row_of_the_extract_is_accounted_for(place, capsys):
    capsys.readouterr()
    assert cli(["ledger", "-w", str(place["lake"].workspace), "--json"]) == 0
    read = {row["source_table"]: row for row in json.loads(capsys.readouterr().out)}
    extract = {name.split(".")[0].lower(): len(rows) - 1 for name, rows in tables().items()}
    assert {name: row["read"] for name, row in read.items()} == extract
    for name, row in read.items():
        fates = ("mapped", "routed", "merged", "excluded", "quarantined")
        assert row["read"] == sum(row[fate] for fate in fates), name
        assert row["mapped"] + row["routed"] == row["read"], row


def test_people_stays_and_deaths_are_those_of_the_extract(place):
    files, lake = tables(), place["lake"]
    people = dataset(lake.omop("person")).to_table().to_pylist()
    assert len(people) == 60 and {row["gender_concept_id"] for row in people} == {8507, 8532}
    assert dataset(lake.omop("death")).count_rows() == sum(bool(row[8]) for row in files["PATIENTS.csv"][1:])
    assert dataset(lake.omop("visit_occurrence")).count_rows() == len(files["VENUES.csv.gz"]) - 1
    kinds = {row["visit_concept_id"] for row in dataset(lake.omop("visit_occurrence")).to_table().to_pylist()}
    assert kinds == {9201, 9202, 9203}


def test_a_decimal_comma_is_a_number_and_a_word_is_kept(place):
    rows = dataset(place["lake"].omop("measurement")).to_table().to_pylist()
    for row in rows:
        written = row["value_source_value"]
        expected = None if written == "annulé" else float(written.replace(",", "."))
        assert row["value_as_number"] == expected


def test_letters_name_nobody(place):
    notes = dataset(place["lake"].omop("note")).to_table()["note_text"].to_pylist()
    assert notes and not any(name.casefold() in note.casefold() for note in notes for name in (*NAMES, *FIRST))


def test_a_source_is_not_written_over(place, capsys):
    capsys.readouterr()
    words = ["source", "new", "our_hospital", "--from", str(place["folder"] / "exports"), "--to", str(place["source"])]
    assert cli([*words, "--json"]) == 2
    assert "not written over" in json.loads(capsys.readouterr().out)["what"]
