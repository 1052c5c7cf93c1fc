"""The command line as an interface: examples in every help page, light start, exit codes, JSON for errors as well."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from passerelle import __version__
from passerelle.cli import run as cli
from passerelle.cli.app import app
from passerelle.cli.common import table
from tests.hospital import SOURCE, write_feed, write_source

HEAVY = {
    "torch", "pyspark", "pysail", "airflow", "mlflow", "edsnlp", "sklearn", "lightgbm", "pandas", "duckdb", "fhir",
}  # fmt: skip
SECRET = "s3cret-of-the-test"


def every_command() -> dict[str, Any]:
    """Full name → command: 'run', 'source check'."""
    top = typer.main.get_command(app).commands
    return {
        f"{name} {sub}".strip(): inner
        for name, command in top.items()
        for sub, inner in (getattr(command, "commands", None) or {"": command}).items()
    }


COMMANDS = every_command()


def test_a_table_shows_no_letter_that_commands_a_terminal():
    assert (
        table([{"code": "é\x1b[31m\u202eb", "rows": 1234}], ["code", "rows"]).splitlines()[-1]
        == "é\ufffd[31m\ufffdb  1 234"
    )


def test_the_names_that_scripts_rely_on_are_there():
    promised = {
        "run", "extract", "map", "check", "publish", "ledger", "gaps", "quality", "explain", "lineage", "report",
        "demo", "train", "evaluate", "predict", "card", "source check", "source list", "source new",
        "vocabulary load", "vocabulary status",
        "vocabulary diff",
        "fhir build", "fhir validate", "fhir deliver", "fhir status", "fhir dead-letters",
    }  # fmt: skip
    assert promised <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_teaches_by_example(name, capsys):
    assert cli([*name.split(), "--help"]) == 0
    page = capsys.readouterr().out
    examples = [line.strip() for line in page.split("Examples:")[1].splitlines() if line.strip()]
    assert any(line.removeprefix("PASSERELLE_WAREHOUSE_DSN=").startswith(f"passerelle {name}") for line in examples)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does_and_what_each_option_means(name):
    command = COMMANDS[name]
    assert command.help and len(command.help.splitlines()[0]) <= 120
    options = [option for option in command.params if option.opts[0].startswith("--")]
    assert [option.name for option in options if not option.help] == []
    assert {"json", "verbose"} <= {option.name for option in options}


# --- starting -------------------------------------------------------------------------------------------------------


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Code in a fresh process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_command_line_loads_no_heavy_library():
    probe = f"import sys, passerelle.cli; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = python(probe)
    assert done.returncode == 0 and done.stdout.strip() == ""


@pytest.mark.parametrize("words", ["--help", "--version", "settings", "source list", "fhir deliver --help"])
def test_commands_that_do_little_load_little(words):
    probe = (
        "import sys, passerelle.cli\n"
        f"assert passerelle.cli.run({words.split()!r}) == 0\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = python(probe)
    assert done.returncode == 0 and done.stderr.strip() == ""


def test_help_starts_and_the_time_is_told(record_property):
    """No limit here: a busy machine must not fail a test; the benchmarks keep the figure."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "passerelle", "--help"], capture_output=True, check=True)
    record_property("seconds", round(time.monotonic() - started, 2))
    assert b"passerelle demo" in done.stdout


def test_version(capsys):
    assert cli(["--version"]) == 0
    assert capsys.readouterr().out == f"passerelle {__version__}\n"


# --- exit codes and JSON --------------------------------------------------------------------------------------------

USED_WRONGLY = [
    ["run"],
    ["run", "chu_demo", "--no-such-option"],
    ["no-such-command"],
    ["run", "no_such_source"],
    ["run", "mimic_iv", "--workspace", "W"],  # where the files are is not said
    ["run", "mimic_iv", "--input", "missing", "--workspace", "W"],
    ["run", "mimic_iv", "--input", ".", "--engine", "abacus", "--workspace", "W"],
    ["source", "check", "chu_demo", "--input", "."],  # a database, and a folder is given
    ["source", "new", "Ours", "--from", "."],
    ["source", "new", "ours", "--from", "missing"],
    ["ledger", "--workspace", "W"],
    ["explain", "measurement", "not-a-number", "--workspace", "W"],
    ["gaps", "--limit", "0"],
    ["train", "no_such_model", "--workspace", "W"],
    ["card", "no_such_model"],
    ["fhir", "deliver", "--workspace", "W"],
    ["fhir", "validate", "missing.json"],
    ["vocabulary", "load", "missing", "--workspace", "W"],
    ["demo", "--patients", "1"],
]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", USED_WRONGLY, ids=" ".join)
def test_used_wrongly_is_exit_code_2_and_one_json_object(words, elsewhere, capsys):
    assert cli([*words, "--json"]) == 2
    shown = capsys.readouterr()
    said = json.loads(shown.out)
    assert {"error", "what", "transient"} <= set(said) and said["transient"] is False
    assert shown.err.strip() and "Traceback" not in shown.err


def test_a_group_without_a_command_shows_its_help_and_is_exit_code_2(capsys):
    assert cli(["fhir"]) == 2
    assert "dead-letters" in "".join(capsys.readouterr())


def test_work_that_fails_is_exit_code_1_and_one_json_object(elsewhere, capsys):
    write_source(elsewhere / "ours", source=SOURCE.replace("label:", "labell:"))
    assert cli(["source", "check", "./ours", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["error"], said["transient"]) == ("MappingError", False) and "labell" in said["what"]


def test_a_source_that_does_not_answer_may_pass_later_and_its_password_stays_hidden(elsewhere, capsys):
    dsn = f"postgresql://etl:{SECRET}@127.0.0.1:1/dpi"
    assert cli(["run", "chu_demo", "--input", dsn, "--workspace", "W", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["transient"] is True
    assert SECRET not in shown.out + shown.err
    assert not [path for path in elsewhere.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("facts", "transient"),
    [
        ({"stopped": "the server asks to come back later", "remaining": 7, "dead": 0}, True),
        ({"stopped": None, "remaining": 2, "dead": 1}, True),
        ({"stopped": None, "remaining": 0, "dead": 3}, False),  # dead letters wait for a person
    ],
)
def test_a_delivery_that_is_not_complete_says_whether_it_may_pass_later(
    facts, transient, elsewhere, capsys, monkeypatch
):
    from passerelle import delivery

    report = {"ok": False, "acked": 0, "software": "", "target": "t", "seconds": 0.0, **facts}
    monkeypatch.setattr(delivery, "deliver_outbox", lambda *_: dict(report))
    assert cli(["fhir", "deliver", "--workspace", "W", "--url", "http://127.0.0.1:1/fhir", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == report | {"transient": transient}


# --- settings -------------------------------------------------------------------------------------------------------

GIVEN = {
    "PASSERELLE_SOURCE_DSN": f"postgresql://etl:{SECRET}@db/dpi",
    "PASSERELLE_WAREHOUSE_DSN": f"postgresql://omop:{SECRET}@db/omop",
    "PASSERELLE_OUTBOX_URL": f"postgresql+psycopg://box:{SECRET}@db/outbox",
    "PASSERELLE_MLFLOW_URI": f"https://science:{SECRET}@mlflow.example.org",
    "PASSERELLE_FHIR_URL": f"https://ehr:{SECRET}@fhir.example.org/r4",
    **{f"PASSERELLE_SECRET_{name}": SECRET for name in ("IDENTITY", "STAYS", "REST", "CROSSWALK")},
}


@pytest.fixture
def secrets_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSERELLE_JARS", raising=False)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_settings_print_no_secret(secrets_given, elsewhere, capsys, form):
    assert cli(["settings", *form]) == 0
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    assert "fhir.example.org/r4" in shown.out and shown.out.count("environment") == len(GIVEN)


def test_a_run_keeps_its_settings_without_their_secrets(secrets_given, elsewhere, monkeypatch):
    monkeypatch.delenv("PASSERELLE_WAREHOUSE_DSN")  # there is no such server
    source, feed = write_source(elsewhere / "tiny"), write_feed(elsewhere / "feed")
    assert cli(["run", str(source), "--input", str(feed), "--workspace", "W"]) == 0
    assert not [path for path in Path("W").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_misspelt_variable_is_mentioned(elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("PASSERELLE_WORKSPASE", "W")
    assert cli(["settings"]) == 0
    assert "PASSERELLE_WORKSPASE is not a setting" in capsys.readouterr().err


def test_flag_then_environment_then_file_then_default(elsewhere, monkeypatch, capsys):
    def origins() -> dict[str, tuple[str, str]]:
        capsys.readouterr()
        assert cli(["settings", "--workspace", "by-flag", "--json"]) == 0
        return {row["setting"]: (row["value"], row["origin"]) for row in json.loads(capsys.readouterr().out)}

    (elsewhere / "passerelle.yaml").write_text("workspace: by-file\nengine: local[2]\nbuckets: 16\n")
    monkeypatch.setenv("PASSERELLE_ENGINE", "sc://spark:15002")
    found = origins()
    assert found["workspace"] == ("by-flag", "flag")
    assert found["engine"] == ("sc://spark:15002", "environment")
    assert found["buckets"] == ("16", "passerelle.yaml")
    assert found["log_level"] == ("INFO", "default")


@pytest.mark.parametrize(
    ("variable", "file"), [("0", ""), ("many", ""), (None, "bucketz: 8\n"), (None, "engine: [\n"), (None, "- a\n")]
)
def test_a_setting_that_is_not_valid_is_exit_code_2(elsewhere, monkeypatch, capsys, variable, file):
    (elsewhere / "passerelle.yaml").write_text(file)
    if variable:
        monkeypatch.setenv("PASSERELLE_BUCKETS", variable)
    assert cli(["settings", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert "bucket" in said["what"] or "passerelle.yaml" in said["what"]
