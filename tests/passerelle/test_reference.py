"""The reference pages say what the code says, and the schema of a source accepts and refuses what the loader does."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from etl.declaration import list_sources, source_folder
from passerelle.reference import lineage_pages, pages
from passerelle.settings import Settings
from tests.hospital import SOURCE

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "reference"
LINEAGE = FOLDER.parent / "lineage"
PAGES = pages()
AGAIN = "run: python -m passerelle.reference docs/reference"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_in_the_repository_is_what_is_generated(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], AGAIN


def test_nothing_else_pretends_to_be_generated():
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


def test_the_lineage_in_the_repository_is_that_of_the_mappings():
    found = {path.name: path.read_text(encoding="utf-8") for path in LINEAGE.iterdir()}
    generated = lineage_pages()
    stale = sorted(name for name in {*found, *generated} if found.get(name) != generated.get(name))
    assert not stale, AGAIN


def test_every_setting_has_its_line():
    assert all(f"| `{name}` |" in PAGES["settings.md"] for name in Settings.model_fields)


def test_no_home_of_a_machine_stands_in_a_page():
    assert str(Path.home()) not in "".join(PAGES.values())


def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(PAGES["source.schema.json"]))


def as_json(text: str) -> object:
    """YAML reads a day as a date; a schema knows texts."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


@pytest.mark.parametrize("name", list_sources())
def test_the_schema_accepts_every_source_that_ships(name):
    declared = as_json((source_folder(name) / "source.yaml").read_text(encoding="utf-8"))
    assert [error.message for error in schema().iter_errors(declared)] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("label:", "labell:"),
        ("kind: files", "kind: oracle"),
        ("iep: stay", "iep: visit"),
        ("code: string", "code: text"),
    ],
)
def test_the_schema_refuses_a_misspelling(right, wrong):
    assert schema().is_valid(as_json(SOURCE))
    assert right in SOURCE and not schema().is_valid(as_json(SOURCE.replace(right, wrong)))
