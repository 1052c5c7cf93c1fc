"""A new key for the crosswalk: whatever happens on the way, it opens, with the old key or with the new one."""

import json
import stat
from pathlib import Path

import pyarrow as pa
import pytest

from etl import crosswalk as crosswalk_module
from etl import identity
from etl.crosswalk import SCHEMA, Crosswalk
from etl.identity import retired_keys, secrets_from
from passerelle.cli import run as cli
from passerelle.errors import TerminalError, UsageError
from passerelle.keys import WHY, rotate
from passerelle.settings import Settings
from passerelle.workspace import Workspace

ROWS = pa.Table.from_pylist(
    [{"source": "chu", "kind": "person", "hash": 7, "identifier": "ZURBRIGGEN", "attribute": "nom"}], schema=SCHEMA
)


def opened_by(settings: Settings, *, with_retired: bool = True) -> list[str]:
    secrets, _ = secrets_from(settings)
    retired = secrets.retired if with_retired else ()
    way_back = Crosswalk(settings.workspace / "identity", secrets.crosswalk, retired)
    return [way_back.open(source, why="a test")["identifier"].to_pylist() for source in ("chu", "chru")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of two sources, with generated keys."""
    made = Settings(workspace=tmp_path / "W", keys_file=tmp_path / "config" / "keys.json")
    secrets, _ = secrets_from(made)
    for source in ("chu", "chru"):
        Workspace(made.workspace).admit(source, buckets=2, secrets=secrets.fingerprint)
        Crosswalk(made.workspace / "identity", secrets.crosswalk).merge(source, ROWS)
    return made


def test_after_a_rotation_the_new_key_alone_opens_and_nothing_else_has_changed(settings):
    before, _ = secrets_from(settings)
    done = rotate(settings, "crosswalk")
    after, _ = secrets_from(settings)
    assert done["rows"] == {"chu": 1, "chru": 1}
    assert opened_by(settings, with_retired=False) == [["ZURBRIGGEN"]] * 2
    assert after.crosswalk != before.crosswalk and after.fingerprint == before.fingerprint
    with pytest.raises(TerminalError, match="does not open"):
        Crosswalk(settings.workspace / "identity", before.crosswalk).open("chu", why="a test")


def test_the_former_keys_are_kept_beside_for_their_owner_only(settings):
    former = settings.keys_file.read_text()
    done = rotate(settings, "crosswalk")
    (kept,) = retired_keys(settings.keys_file)
    assert done["former"] == str(kept) and kept.read_text() == former
    assert {stat.S_IMODE(path.stat().st_mode) for path in (kept, settings.keys_file)} == {0o600}


def test_every_crosswalk_that_is_closed_anew_was_opened_with_a_log(settings):
    rotate(settings, "crosswalk")
    entries = list(Crosswalk(settings.workspace / "identity", b"").openings())
    assert [(entry["source"], entry["why"]) for entry in entries] == [("chu", WHY), ("chru", WHY)]
    assert all(entry["who"] and entry["at"] for entry in entries)


@pytest.mark.parametrize("after", range(9))
def test_killed_at_any_write_every_crosswalk_opens_and_a_second_rotation_ends_it(settings, monkeypatch, after):
    """The writes of a rotation: former keys, new keys, their rename; then each crosswalk and its rename."""

    class Killed(BaseException):
        pass

    writes = iter(range(100))

    def dying(real):
        def write(*arguments):
            if next(writes) == after:
                raise Killed
            return real(*arguments)

        return write

    with monkeypatch.context() as patched:
        patched.setattr(identity, "_write_once", dying(identity._write_once))
        patched.setattr(Path, "replace", dying(Path.replace))
        patched.setattr(crosswalk_module.os, "fsync", dying(crosswalk_module.os.fsync))
        with pytest.raises(Killed):
            rotate(settings, "crosswalk")
    assert opened_by(settings) == [["ZURBRIGGEN"]] * 2
    rotate(settings, "crosswalk")
    assert opened_by(settings, with_retired=False) == [["ZURBRIGGEN"]] * 2


def test_another_workspace_with_the_same_keys_still_opens_and_is_closed_anew_by_its_next_merge(settings, tmp_path):
    other = settings.model_copy(update={"workspace": tmp_path / "other"})
    secrets, _ = secrets_from(other)
    Crosswalk(other.workspace / "identity", secrets.crosswalk).merge("chu", ROWS)
    rotate(settings, "crosswalk")
    assert opened_by(other)[0] == ["ZURBRIGGEN"]


def test_a_key_that_settings_give_is_rotated_with_the_former_one_beside_it(settings):
    given = {"workspace": settings.workspace, "keys_file": settings.keys_file}
    secrets, _ = secrets_from(Settings(**given, secret_crosswalk="the old"))
    for source in ("chu", "chru"):
        (settings.workspace / "identity" / f"{source}.crosswalk").unlink()
        Crosswalk(settings.workspace / "identity", secrets.crosswalk).merge(source, ROWS)
    with pytest.raises(UsageError, match="in your settings"):
        rotate(Settings(**given, secret_crosswalk="the new"), "crosswalk")
    keys = settings.keys_file.read_bytes()
    rotate(Settings(**given, secret_crosswalk="the new", secret_crosswalk_before="the old"), "crosswalk")
    assert opened_by(Settings(**given, secret_crosswalk="the new")) == [["ZURBRIGGEN"]] * 2
    assert settings.keys_file.read_bytes() == keys and not retired_keys(settings.keys_file)


@pytest.mark.parametrize("only", ["identity", "stays", "rest"])
def test_keys_of_ids_are_not_rotated_in_place_and_it_says_what_to_do(settings, only, capsys):
    keys = settings.keys_file.read_bytes()
    assert cli(["keys", "rotate", "--workspace", str(settings.workspace), "--only", only, "--json"]) == 2
    told = capsys.readouterr().out
    assert "second workspace" in told and settings.keys_file.read_bytes() == keys


def test_the_command_says_what_it_did_and_no_secret(settings, monkeypatch, capsys):
    monkeypatch.setenv("PASSERELLE_KEYS_FILE", str(settings.keys_file))
    assert cli(["keys", "rotate", "--workspace", str(settings.workspace)]) == 0
    told = capsys.readouterr().out
    assert "2 rows of 2 crosswalk(s)" in told
    assert not any(secret in told for secret in json.loads(settings.keys_file.read_text()).values())
