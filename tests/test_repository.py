"""The repository keeps what it says of itself: links, folders, commands, packages; no address of a machine."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = {
    ".py",
    ".md",
    ".sql",
    ".yaml",
    ".yml",
    ".toml",
    ".json",
    ".csv",
    ".txt",
    ".svg",
    ".html",
    ".css",
    ".lock",
    ".xml",
    ".tpl",
    "",
}
PACKAGED = {".sql", ".yaml", ".csv", ".json", ".html", ".css"}
# Written in two halves: this file is searched as well.
FORBIDDEN = [
    "/wo" + "rk/",
    "/tmp" + "/w/",
    "/ro" + "ot/",
    "/opt" + "/wheels",
    "pypi" + ".org",
    "files.python" + "hosted",
    "repo" + ".maven" + ".apache",
    "repo1." + "maven",
    "registry." + "npmjs",
    "proxy." + "golang",
    "deb." + "debian",
]


def tracked() -> list[Path]:
    """Files of the repository, with those that wait to be added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


FILES = tracked()
PAGES = [path for path in FILES if path.suffix == ".md"]
GUIDES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "helm" / "README.md"]


def names_of(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_the_lock_has_names_and_versions_and_nothing_else():
    line = re.compile(r"[a-z0-9][a-z0-9.-]*(\[[a-z0-9,-]+\])?==[0-9][^\s;@/]*( ; [a-z_A-Z0-9.'<>=!() *-]+)?")
    wrong = [text for text in (ROOT / "requirements.lock").read_text().splitlines() if not line.fullmatch(text)]
    assert not wrong


def test_the_lock_holds_every_dependency_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {re.match(r"[A-Za-z0-9._-]+", name).group().lower().replace("_", "-").replace(".", "-") for name in wanted}
    locked = {text.split("==")[0].split("[")[0] for text in (ROOT / "requirements.lock").read_text().splitlines()}
    assert names <= locked


def test_no_path_of_a_machine_and_no_address_of_a_registry():
    found = []
    for path in FILES:
        if path.suffix in TEXT:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN if word in text]
    assert not found


@pytest.mark.parametrize("page", PAGES, ids=names_of(PAGES))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.S))
    missing = [
        link
        for link in links
        if "://" not in link
        and not link.startswith(("#", "mailto:"))
        and not (page.parent / link.split("#")[0]).exists()
    ]
    assert not missing


def folders_named(page: Path) -> set[str]:
    """Code words that begin with a room, up to the first placeholder."""
    words = re.findall(
        r"`((?:omop|etl|spark_jobs|models|fhir_adapters|dags|helm|passerelle|tests|docs|\.ci)/[^`\s]*)`",
        page.read_text(),
    )
    return {re.split(r"[<*…{]", word)[0] for word in words}


@pytest.mark.parametrize("page", GUIDES, ids=names_of(GUIDES))
def test_every_folder_that_a_page_names_exists(page):
    missing = sorted(word for word in folders_named(page) if not (ROOT / word).exists())
    assert not missing


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a mapping", "etl/sources/*/mapping/*.sql"),
        ("a source", "etl/sources/*/source.yaml"),
        ("a view", "omop/views/*.sql"),
        ("a contract", "omop/views/*.yaml"),
        ("a model", "models/*/config.yaml"),
        ("a model card", "models/*/README.md"),
        ("a FHIR builder", "fhir_adapters/detected_issue.py"),
        ("a DAG", "dags/*_daily.py"),
        ("the chart", "helm/*/Chart.yaml"),
        ("the coverage of a source", "etl/sources/*/README.md"),
        ("the licence of the vocabulary", "omop/vocabulary/demo/README.md"),
        ("the knowledge, with its sources", "models/*/knowledge/*.csv"),
    ],
)
def test_what_the_readme_promises_is_where_it_says(what, pattern):
    assert list(ROOT.glob(pattern)), f"{what}: nothing at {pattern}"


def commands() -> set[str]:
    """Every command, with its group: 'run', 'source check'."""
    import typer

    from passerelle.cli.app import app

    top = typer.main.get_command(app).commands
    inner = {f"{name} {sub}" for name, group in top.items() for sub in getattr(group, "commands", {})}
    return set(top) | inner


@pytest.mark.parametrize("page", GUIDES, ids=names_of(GUIDES))
def test_every_command_that_a_page_names_exists(page):
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    written = re.findall(r"(?:^|`|bin/)passerelle +([a-z][a-z-]*)(?: +([a-z][a-z-]*))?", page.read_text(), flags=re.M)
    named = {f"{first} {second}" if first in groups and second else first for first, second in written}
    assert not named - known


def test_every_target_of_make_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, flags=re.M).group(1).split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.M))
    assert (
        phony == explained == {"help", "demo", "test", "lint", "conformance", "bench", "bench-models", "lock", "clean"}
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, made from a copy of the repository by the real build backend."""
    copy = tmp_path_factory.mktemp("copy")
    for path in FILES:
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    out = tmp_path_factory.mktemp("wheel")
    build = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=copy, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_every_mapping_view_and_table_is_in_the_wheel(wheel):
    rooms = {"passerelle", "omop", "etl", "spark_jobs", "models", "fhir_adapters", "dags"}
    ours = [path.relative_to(ROOT) for path in FILES if path.suffix in {*PACKAGED, ".py"}]
    wanted = {str(path) for path in ours if path.parts[0] in rooms}
    assert not wanted - set(wheel.namelist())


def test_the_wheel_carries_its_licence_and_none_of_the_tests(wheel):
    names = wheel.namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith("tests/")]
