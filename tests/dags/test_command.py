"""A task calls the real command line; the kind of its error decides whether Airflow tries again."""

import socket

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from dags.command import command_line, passerelle
from passerelle.settings import Settings


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("PASSERELLE_WORKSPACE", str(tmp_path / "W"))
    return tmp_path / "W"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_words_reach_the_program_one_by_one_and_settings_follow(tmp_path):
    settings = Settings(workspace=tmp_path, engine="sc://spark:15002")
    words = command_line(("extract", "mimic_iv", "--input", "a folder; rm -rf"), settings)
    assert words[1:7] == ["-m", "passerelle", "extract", "mimic_iv", "--input", "a folder; rm -rf"]
    assert words[7:] == ["--workspace", str(tmp_path), "--json", "--engine", "sc://spark:15002"]


def test_a_command_that_has_no_engine_is_not_given_one(tmp_path):
    assert "--engine" not in command_line(("predict", "prescription_review"), Settings(workspace=tmp_path))


def test_a_command_that_is_written_wrongly_is_not_tried_again(workspace):
    with pytest.raises(AirflowFailException, match="no source named no_such_source"):
        passerelle("extract", "no_such_source")


def test_a_folder_without_the_files_is_not_tried_again(workspace, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AirflowFailException, match="patients"):
        passerelle("extract", "mimic_iv", "--input", str(tmp_path / "empty"))


def test_a_database_that_does_not_answer_is_tried_again(workspace, monkeypatch):
    monkeypatch.setenv("PASSERELLE_SOURCE_DSN", f"postgresql://nobody@127.0.0.1:{free_port()}/dpi")
    with pytest.raises(AirflowException) as caught:
        passerelle("extract", "chu_demo")
    assert not isinstance(caught.value, AirflowFailException)


def test_a_message_never_shows_the_password(workspace, monkeypatch):
    monkeypatch.setenv("PASSERELLE_SOURCE_DSN", f"postgresql://u:tell-nobody@127.0.0.1:{free_port()}/dpi")
    with pytest.raises(AirflowException) as caught:
        passerelle("extract", "chu_demo")
    assert "tell-nobody" not in str(caught.value)


def test_what_a_command_notes_is_a_warning_in_the_log_of_the_task(workspace, monkeypatch, caplog):
    monkeypatch.setattr("dags.command._run", lambda command: (0, '{"notes": ["2025-03: 12 where 30 were expected"]}'))
    passerelle("evaluate", "prescription_review")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "2025-03: 12 where 30 were expected")
    ]
