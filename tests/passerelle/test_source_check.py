"""Each defect of a source is found before any load, and none that is not there."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from passerelle.cli import run as cli
from tests.hospital import MAPPINGS, ROWS, SOURCE, write_feed, write_source

PEOPLE = [[str(8100 + i), f"NOM{i}", "06 12 34 56 78", "F", "1950-01-01", ""] for i in range(50)]
STAYS = [[str(78000 + i), str(8100 + i), "2024-03-01 10:00:00", "2024-03-02 10:00:00"] for i in range(50)]


def feed(**changed: list[list[str]]) -> dict[str, list[list[str]]]:
    """A sound extract of fifty people; a keyword replaces the rows of a file."""
    rows = copy.deepcopy(ROWS)
    rows["patient.csv"][1:] = copy.deepcopy(PEOPLE)
    rows["sejour.csv"][1:] = copy.deepcopy(STAYS)
    rows["diagnostic.csv"][1:] = [[stay[0], "E11.9"] for stay in STAYS]
    rows["analyse.csv.gz"][1:] = [[str(i), s[1], s[0], "K", "4,2", "mmol/L", s[2]] for i, s in enumerate(STAYS)]
    rows["lettre.csv"][1:] = [[f"L{i}", s[1], s[0], s[2], "Vue ce jour."] for i, s in enumerate(STAYS)]
    for name, lines in changed.items():
        rows[f"{name}.csv" + (".gz" if name == "analyse" else "")] = lines
    return rows


def with_cells(table: str, column: str, *values: str) -> dict[str, list[list[str]]]:
    """The sound extract with other values in the first rows of a column."""
    rows = feed()
    lines = rows[f"{table}.csv" + (".gz" if table == "analyse" else "")]
    for line, value in zip(lines[1:], values, strict=False):
        line[lines[0].index(column)] = value
    return rows


def with_column(table: str, name: str, value: str) -> dict[str, list[list[str]]]:
    rows = feed()
    lines = rows[f"{table}.csv"]
    return feed(**{table: [[*lines[0], name], *([*line, value] for line in lines[1:])]})


def without_column(table: str, name: str) -> dict[str, list[list[str]]]:
    rows = feed()
    lines = rows[f"{table}.csv"]
    place = lines[0].index(name)
    return feed(**{table: [line[:place] + line[place + 1 :] for line in lines]})


def check(
    folder: Path, capsys: pytest.CaptureFixture[str], rows: Any = None, source: str = SOURCE, **words: Any
) -> Any:
    """What `source check` says as JSON, and its exit code."""
    declared = write_source(folder / "tiny", words.get("mappings"), source)
    given = ["--input", str(write_feed(folder / "feed", rows))] if rows is not None else []
    capsys.readouterr()
    code = cli(["source", "check", str(declared), *given, "--json"])
    return code, json.loads(capsys.readouterr().out)


def told(result: dict[str, Any], severity: str = "error") -> list[tuple[str, str]]:
    return [(f["where"], f["what"]) for f in result["findings"] if f["severity"] == severity]


def test_a_sound_source_and_its_extract_have_no_error_and_no_warning(tmp_path, capsys):
    code, result = check(tmp_path, capsys, feed())
    assert code == 0 and (result["errors"], result["warnings"]) == (0, 0), result


BROKEN = {
    "a missing column": (without_column("sejour", "sortie"), "sejour", "missing: sortie"),
    "a column that nobody declared": (with_column("sejour", "chambre", "12"), "sejour", "nobody declared: chambre"),
    "a type that does not read": (with_cells("sejour", "entree", *["01/03/2024"] * 30), "sejour.entree", "60.0%"),
    "a key that is not unique": (
        with_cells("sejour", "iep", *["78000"] * 10), "sejour (iep)", "9 of 50 rows differ",
    ),
    "people that do not exist": (with_cells("analyse", "ipp", *["1"] * 40), "analyse.ipp", "no row of patient"),
    "stays that do not exist": (
        with_cells("diagnostic", "iep", *map(str, range(40))), "diagnostic.iep", "no row of sejour",
    ),
    "telephones in a column that is loaded": (
        with_cells("analyse", "unite", *["06 12 34 56 78"] * 50), "analyse.unite", "look like telephone numbers",
    ),
    "addresses in a column that is loaded": (
        with_cells("diagnostic", "code", *[f"{i} rue des Lilas" for i in range(50)]), "diagnostic.code", "addresses",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_would_break_a_load_is_an_error(name, tmp_path, capsys):
    rows, where, what = BROKEN[name]
    code, result = check(tmp_path, capsys, rows)
    assert code == 1
    assert any(place == where and what in said for place, said in told(result)), result["findings"]


def test_one_check_names_missing_and_undeclared_columns_together(tmp_path, capsys):
    rows = feed()
    rows["sejour.csv"][0][3] = "fin"
    _, result = check(tmp_path, capsys, rows)
    (said,) = [what for where, what in told(result) if where == "sejour"]
    assert "missing: sortie" in said and "nobody declared: fin" in said


def test_a_few_defects_are_a_warning_not_a_refusal(tmp_path, capsys):
    code, result = check(tmp_path, capsys, with_cells("sejour", "sortie", "hier", "demain"))
    assert code == 0 and told(result, "warning") == [("sejour.sortie", "is not a timestamp in 2 of 50 rows (4.0%)")]


def test_a_missing_file_and_one_that_nobody_declared(tmp_path, capsys):
    rows = feed()
    rows["nouveau.csv"] = rows.pop("lettre.csv")
    code, result = check(tmp_path, capsys, rows)
    places = {where for where, _ in told(result)}
    assert code == 1 and places == {"lettre", "nouveau.csv"}


def test_another_encoding_is_an_error_that_names_the_line(tmp_path, capsys):
    write_feed(tmp_path / "feed", feed())
    bad = (tmp_path / "feed" / "sejour.csv").read_bytes() + "é,8100,2024-03-01 10:00:00,\n".encode("latin-1")
    declared = write_source(tmp_path / "tiny")
    (tmp_path / "feed" / "sejour.csv").write_bytes(bad)
    capsys.readouterr()
    assert cli(["source", "check", str(declared), "--input", str(tmp_path / "feed"), "--json"]) == 1
    assert "line 52 is not utf-8" in dict(told(json.loads(capsys.readouterr().out)))["sejour"]


def test_every_mapping_that_does_not_compile_is_named_at_once(tmp_path, capsys):
    broken = MAPPINGS | {"note": "SELECT * FROM bronze.lettre", "death": "SELECT nom AS person_key FROM bronze.patient"}
    code, result = check(tmp_path, capsys, mappings=broken)
    assert code == 1 and [where for where, _ in told(result)] == ["mapping/death.sql", "mapping/note.sql"]


def test_an_open_decision_is_an_error_with_its_file_and_line(tmp_path, capsys):
    source = SOURCE.replace("timezone: Europe/Paris", "timezone: Europe/Paris  # DECIDE: whose clocks?")
    mappings = MAPPINGS | {"note": MAPPINGS["note"] + "\n-- DECIDE: which title?"}
    code, result = check(tmp_path, capsys, source=source, mappings=mappings)
    places = dict(told(result))
    assert code == 1 and places["source.yaml:5"] == "undecided: whose clocks?"
    assert "which title?" in places[next(where for where in places if where.startswith("mapping/note.sql:"))]


def test_no_value_of_the_extract_is_shown(tmp_path, capsys):
    secret = "06 98 76 54 32"
    _, result = check(tmp_path, capsys, with_cells("analyse", "unite", *[secret] * 50))
    assert secret not in json.dumps(result) and "NOM1" not in json.dumps(result)


def test_codes_are_looked_up_in_the_vocabulary_of_the_workspace(tmp_path, capsys):
    source, folder = write_source(tmp_path / "tiny"), write_feed(tmp_path / "feed", feed())
    workspace = str(tmp_path / "W")
    from tests.passerelle.test_vocabulary import LAST_YEAR, MAPS, write_release

    assert cli(["vocabulary", "load", str(write_release(tmp_path / "v", "v", LAST_YEAR, MAPS)), "-w", workspace]) == 0
    capsys.readouterr()
    assert cli(["source", "check", str(source), "--input", str(folder), "-w", workspace, "--json"]) == 0
    said = dict(told(json.loads(capsys.readouterr().out), "warning"))
    assert (
        "no concept of it in this copy" in said["analyse.code"] and "diagnostic.code" not in said
    )  # E11 is its parent


def test_the_plan_of_a_step_is_that_of_the_run_cut_short(tmp_path, capsys):
    source, folder = write_source(tmp_path / "tiny"), write_feed(tmp_path / "feed", feed())
    workspace = str(tmp_path / "W")
    plans = {}
    for step in ("run", "extract", "map"):
        given = [] if step == "map" else ["--input", str(folder)]
        capsys.readouterr()
        assert cli([step, str(source), *given, "-w", workspace, "--dry-run", "--json"]) == 0
        plans[step] = json.loads(capsys.readouterr().out)
        assert cli([step, str(source), *given, "-w", workspace, "--dry-run"]) == 0
    assert plans["run"]["steps"] == ["extract", "map", "check", "publish"] and plans["map"]["steps"] == ["map"]
    assert plans["run"]["mappings"] == plans["map"]["mappings"] == plans["extract"]["mappings"]
    assert not (tmp_path / "W").exists()
