"""Write the folder of a new source: declaration, first mappings, concept maps to fill, README, report of the scan."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from etl.scaffold import pages
from etl.scaffold.declare import declaration, how_declared
from etl.scaffold.fhir import EVENTS, fhir_source, resource_types
from etl.scaffold.infer import Table, infer
from etl.scaffold.mappings import Skeleton, death_of, type_of_rows
from etl.scaffold.scan import Scan
from etl.scaffold.shown import concept_map
from passerelle.errors import UsageError

KEPT = ("Gender", "Visit")  # vocabularies of OMOP itself: their codes need no declaration


@dataclass(frozen=True)
class Written:
    """What was written."""

    folder: Path
    tables: int
    mapped: dict[str, str]  # source table → CDM table
    unread: dict[str, str]


def write_source(name: str, scan: Scan, folder: Path) -> Written:
    """Write the folder.

    Raises: UsageError: there is a source already.
    """
    _refuse_written(folder)
    tables = infer(scan)
    skeletons = _skeletons(name, tables)
    mapped = {s.table.name: s.kind for s in skeletons.values() if s.kind is not None}
    files: dict[str, str] = {}
    types: dict[str, str] = {}
    vocabularies: dict[str, str] = {}
    for mapping, skeleton in skeletons.items():
        files[f"mapping/{mapping}.sql"] = skeleton.text() or ""
        types[mapping] = type_of_rows(skeleton.table)
        vocabularies |= {v: how_declared(v, v in skeleton.maps) for v in _vocabularies(files[f"mapping/{mapping}.sql"])}
        files |= _concept_maps(skeleton)
    for table in tables:
        if mapped.get(table.name) == "person" and (death := death_of(table)):
            files["mapping/death.sql"], types["death"] = death, "EHR"
    files["source.yaml"] = declaration(name, scan, tables, mapped, types, vocabularies)
    files["README.md"] = pages.readme(name, scan, tables, mapped)
    files["scan.md"] = pages.report(name, scan, tables)
    _write(folder, files)
    return Written(folder, len(tables), mapped, scan.unread)


def write_fhir_source(name: str, origin: Path, folder: Path) -> Written:
    """Write the folder of a source of FHIR resources.

    Raises: UsageError: there is a source already.
    """
    _refuse_written(folder)
    types = resource_types(origin)
    files = fhir_source(name, types)
    mapped = {kind: EVENTS[kind][0].partition(".")[0] for kind in EVENTS if types[kind]}
    mapped |= {k: cdm for k, cdm in (("Patient", "person"), ("Encounter", "visit_occurrence")) if types[k]}
    files["README.md"] = pages.readme(name, Scan("fhir_r4", []), [], {})
    _write(folder, files)
    unread = {kind: f"{n} seen, no first mapping" for kind, n in types.items() if kind not in mapped}
    return Written(folder, len(mapped), mapped, unread)


def _refuse_written(folder: Path) -> None:
    if (folder / "source.yaml").exists():
        raise UsageError(
            "there is a source already, and its decisions are not written over",
            looked=str(folder / "source.yaml"),
            do="choose another folder with --to, or remove that one",
        )


def _write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _skeletons(name: str, tables: list[Table]) -> dict[str, Skeleton]:
    """Mapping file → skeleton; a CDM table that several tables fill gets a file for each."""
    stays = next((table for table in tables if table.cdm == "visit_occurrence"), None)
    found = [skeleton for table in tables if (skeleton := Skeleton(name, table, stays)).kind is not None]
    kinds = [skeleton.kind for skeleton in found]
    return {str(s.kind) if kinds.count(s.kind) == 1 else f"{s.kind}.{s.table.name}": s for s in found}


def _vocabularies(sql: str) -> Iterator[str]:
    for line in sql.splitlines():
        value, _, target = line.strip().partition(" AS ")
        if target.rstrip(",").endswith("_vocabulary") and (name := value.strip("'")) not in KEPT:
            yield name


def _concept_maps(skeleton: Skeleton) -> dict[str, str]:
    prefixes = {
        line.strip().partition(" AS ")[0].strip("'"): line.strip().rstrip(",").rpartition(" AS ")[2]
        for line in (skeleton.text() or "").splitlines()
        if "_vocabulary" in line
    }
    return {
        f"concept_maps/{vocabulary}.csv": concept_map(
            skeleton.table, column, prefixes[vocabulary].removesuffix("_vocabulary")
        )
        for vocabulary, column in skeleton.maps.items()
    }
