"""Laws of the keyed hashes, and of the crosswalk: the only way back, encrypted, and every opening of it logged."""

import json
import os
import stat
import string
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.crosswalk import SCHEMA, Crosswalk, identifiers_of
from etl.identity import POSITIVE_63_BITS, Secrets, keyed_hash, pseudonymise, read_or_make_keys, secrets_from
from passerelle.errors import TerminalError
from passerelle.settings import Settings

SECRETS = Secrets(b"i" * 32, b"s" * 32, b"r" * 32, b"c" * 32)
IDENTIFIERS = st.text(string.ascii_letters + string.digits + "éè-' ", min_size=1, max_size=12).filter(str.strip)
COLUMNS = st.lists(st.none() | IDENTIFIERS, max_size=20)


def hashed(values: list[str | None], secret: bytes = SECRETS.identity, source: str = "chu", kind: str = "person"):
    return pseudonymise(pa.array(values, pa.string()), secret, source, kind).to_pylist()


# --- hashes --------------------------------------------------------------------------------------------------------


@given(values=COLUMNS)
def test_the_same_identifier_has_the_same_hash_wherever_it_stands(values):
    alone = {value: hashed([value])[0] for value in values}
    assert hashed(values) == [alone[value] for value in values]
    assert hashed(values[::-1]) == hashed(values)[::-1]


@given(values=COLUMNS)
def test_hashes_are_positive_numbers_and_null_stays_null(values):
    for value, number in zip(values, hashed(values), strict=True):
        assert (number is None) == (value is None)
        assert number is None or 0 <= number <= POSITIVE_63_BITS


@given(first=IDENTIFIERS, second=IDENTIFIERS)
def test_two_identifiers_have_two_hashes(first, second):
    assert (hashed([first]) == hashed([second])) == (first.strip() == second.strip())


@given(value=IDENTIFIERS, other=st.binary(min_size=1, max_size=64))
def test_another_secret_source_or_kind_gives_another_hash(value, other):
    given_ = hashed([value])
    assert other == SECRETS.identity or hashed([value], secret=other) != given_
    assert hashed([value], source="chru") != given_
    assert hashed([value], kind="stay") != given_


def test_blanks_around_an_identifier_are_no_part_of_it_and_an_empty_one_is_none():
    assert hashed([" 8001 ", "8001", "", "   "]) == [hashed(["8001"])[0]] * 2 + [None, None]


def test_hashes_do_not_move_between_releases():
    """Keys of a workspace must be made again by the next release: this number may never change."""
    assert keyed_hash(b"k" * 32, "chu|person|8001234567") == 1_952_013_456_679_320_339


def test_each_kind_has_its_own_secret_and_no_secret_is_shown():
    assert [SECRETS.of(kind) for kind in ("person", "stay", "rest")] == [b"i" * 32, b"s" * 32, b"r" * 32]
    assert "iiii" not in repr(SECRETS) and "iiii" not in str(SECRETS)


def test_the_fingerprint_tells_secrets_of_keys_apart_and_only_those():
    for part in ("identity", "stays", "rest"):
        assert replace(SECRETS, **{part: b"x" * 32}).fingerprint != SECRETS.fingerprint
    assert replace(SECRETS, crosswalk=b"x" * 32).fingerprint == SECRETS.fingerprint


def test_the_salt_of_the_engine_says_nothing_of_persons_and_stays():
    assert replace(SECRETS, identity=b"x" * 32, stays=b"x" * 32).engine_salt("chu") == SECRETS.engine_salt("chu")
    assert SECRETS.engine_salt("chru") != SECRETS.engine_salt("chu")


# --- the keys file -------------------------------------------------------------------------------------------------


def test_a_keys_file_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "config" / "keys.json"
    made = read_or_make_keys(path)
    assert read_or_make_keys(path) == made and len(set(made.values())) == 5
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_a_secret_that_is_given_wins_over_the_keys_file(tmp_path):
    stored, _ = secrets_from(Settings(keys_file=tmp_path / "keys.json"))
    given_, origin = secrets_from(Settings(keys_file=tmp_path / "keys.json", secret_stays="a given secret"))
    assert given_.stays != stored.stays and given_.identity == stored.identity
    assert origin == str(tmp_path / "keys.json")


def test_when_all_secrets_are_given_no_keys_file_is_made(tmp_path):
    names = ("identity", "stays", "rest", "crosswalk")
    settings_ = Settings(keys_file=tmp_path / "keys.json", **{f"secret_{name}": "the same word" for name in names})
    found, origin = secrets_from(settings_)
    assert origin == "settings" and not (tmp_path / "keys.json").exists()
    assert len({found.identity, found.stays, found.rest, found.crosswalk}) == 4  # each is bound to its purpose


# --- the crosswalk -------------------------------------------------------------------------------------------------

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.just("chu"),
            "kind": st.sampled_from(["person", "stay"]),
            "hash": st.integers(0, 3),
            "identifier": st.sampled_from(["8001", "ZURBRIGGEN", "06 12 34 56 78"]),
            "attribute": st.sampled_from(["ipp", "nom"]),
        }
    ),
    max_size=8,
)


def table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def content(crosswalk: Crosswalk, source: str = "chu") -> set[tuple]:
    return {tuple(row[name] for name in SCHEMA.names) for row in crosswalk.open(source, why="a test").to_pylist()}


@settings(max_examples=40)
@given(first=ROWS, second=ROWS)
def test_what_was_merged_comes_back_once_in_any_order(tmp_path_factory, first, second):
    one, other = (Crosswalk(tmp_path_factory.mktemp("crosswalk"), SECRETS.crosswalk) for _ in range(2))
    for crosswalk, feeds in ((one, (first, second)), (other, (second, first, second))):
        for feed in feeds:
            crosswalk.merge("chu", table(feed))
    assert content(one) == content(other) == {tuple(row[name] for name in SCHEMA.names) for row in first + second}
    assert one.open("chu", why="a test").num_rows == len(content(one))


ZURBRIGGEN = [
    {"source": "chu", "kind": "person", "hash": 7, "identifier": "8001", "attribute": "ipp"},
    {"source": "chu", "kind": "person", "hash": 7, "identifier": "ZURBRIGGEN", "attribute": "nom"},
    {"source": "chu", "kind": "stay", "hash": 7, "identifier": "77001", "attribute": "iep"},
]


@pytest.fixture
def crosswalk(tmp_path):
    made = Crosswalk(tmp_path / "identity", SECRETS.crosswalk)
    made.merge("chu", table(ZURBRIGGEN))
    return made


def test_the_way_back_leads_to_the_identifiers_of_one_person(crosswalk):
    found = identifiers_of(crosswalk.open("chu", why="a test"), "person", 7)
    assert found == {"ipp": "8001", "nom": "ZURBRIGGEN"}


def test_nothing_readable_is_on_the_disk_and_only_its_owner_may_look(crosswalk):
    (file,) = crosswalk.folder.glob("*.crosswalk")
    sealed = file.read_bytes()
    assert not any(row["identifier"].encode() in sealed for row in ZURBRIGGEN) and b"PAR1" not in sealed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(crosswalk.folder.stat().st_mode) == 0o700


def test_a_merge_that_adds_nothing_writes_nothing(crosswalk):
    (file,) = crosswalk.folder.glob("*.crosswalk")
    before = file.read_bytes()
    assert crosswalk.merge("chu", table(ZURBRIGGEN[:1])) == 3
    assert file.read_bytes() == before


def test_two_writings_of_the_same_rows_look_different(crosswalk, tmp_path):
    other = Crosswalk(tmp_path / "other", SECRETS.crosswalk)
    other.merge("chu", table(ZURBRIGGEN))
    assert (other.folder / "chu.crosswalk").read_bytes() != (crosswalk.folder / "chu.crosswalk").read_bytes()


@pytest.mark.parametrize("change", ["a bit", "the end", "all but ten bytes", "everything"])
def test_a_file_that_was_changed_is_refused(crosswalk, change):
    path = crosswalk.folder / "chu.crosswalk"
    sealed = path.read_bytes()
    middle = len(sealed) // 2
    changed = {
        "a bit": sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :],
        "the end": sealed[:-1],
        "all but ten bytes": sealed[:10],
        "everything": b"",
    }[change]
    path.write_bytes(changed)
    with pytest.raises(TerminalError, match=r"crosswalk of chu does not open") as refused:
        crosswalk.open("chu", why="a test")
    assert "backup" in refused.value.do
    with pytest.raises(TerminalError):
        crosswalk.merge("chu", table(ZURBRIGGEN))
    assert path.read_bytes() == changed


def test_another_key_does_not_open_it(crosswalk):
    with pytest.raises(TerminalError, match="does not open"):
        Crosswalk(crosswalk.folder, b"x" * 32).open("chu", why="a test")


def test_the_file_of_one_source_does_not_open_as_that_of_another(crosswalk):
    (crosswalk.folder / "chru.crosswalk").write_bytes((crosswalk.folder / "chu.crosswalk").read_bytes())
    with pytest.raises(TerminalError, match="crosswalk of chru"):
        crosswalk.open("chru", why="a test")


def test_every_opening_is_logged_before_it_happens(crosswalk):
    crosswalk.open("chu", why="deliver results")
    with pytest.raises(TerminalError):
        Crosswalk(crosswalk.folder, b"x" * 32).open("chu", why="look around")
    entries = list(crosswalk.openings())
    assert [(entry["source"], entry["why"]) for entry in entries] == [
        ("chu", "deliver results"),
        ("chu", "look around"),
    ]
    assert all(entry["who"] and entry["at"].endswith("+00:00") for entry in entries)
    assert not any(row["identifier"] in json.dumps(entries) for row in ZURBRIGGEN)


def test_a_source_that_nobody_landed_has_an_empty_crosswalk(crosswalk):
    assert crosswalk.open("nobody", why="a test").num_rows == 0


def test_a_half_written_file_of_a_killed_merge_is_not_read(crosswalk):
    (crosswalk.folder / "chu.tmp").write_bytes(os.urandom(100))
    assert len(content(crosswalk)) == 3
    assert crosswalk.merge("chu", table([{**ZURBRIGGEN[0], "hash": 8}])) == 4
    assert not (crosswalk.folder / "chu.tmp").exists()
