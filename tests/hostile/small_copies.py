"""A few patients of each source, with all that is theirs and all that they name: made anew from the shared data.

Nothing is kept between two runs of the tests, and nothing is committed.
"""

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from etl.declaration import SOURCES, Source, load_source
from etl.demo import chu_second

PATIENTS = 3
Rows = list[list[str]]  # the header first


def read_bytes(path: Path) -> bytes:
    """A file, plain or gzipped."""
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The same as text."""
    return read_bytes(path).decode(encoding)


def write_bytes(path: Path, content: bytes) -> None:
    """A file, gzipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def _csv_rows(path: Path) -> Rows:
    return list(csv.reader(read_text(path).splitlines(keepends=True)))


def as_csv(rows: Rows, delimiter: str = ",") -> str:
    """Rows as the text of a file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _declared(name: str) -> Source:
    return load_source(SOURCES / name)


# --- CSV -----------------------------------------------------------------------------------------------------------


def _few_of_csv(name: str, given: Path, folder: Path, people: Callable[[Rows], set[str]], persons: str) -> None:
    """Rows of a few persons; of tables without a person the rows whose key is named by one that was kept."""
    tables = _declared(name).tables
    files = {n: (t, _csv_rows(given / str(t.path))) for n, t in tables.items() if (given / str(t.path)).is_file()}
    chosen = people(files[persons][1])
    kept: dict[str, Rows] = {}
    for table_name, (table, (header, *rows)) in files.items():
        if (person := table.person_column) is not None:
            at = header.index(person)
            kept[table_name] = [header, *(row for row in rows if row[at] in chosen)]
    named = {cell for rows in kept.values() for row in rows[1:] for cell in row}
    for table_name, (table, (header, *rows)) in files.items():
        if table_name not in kept:
            at = header.index(table.key[0])
            kept[table_name] = [header, *(row for row in rows if row[at] in named)]
    for table_name, rows in kept.items():
        write_bytes(folder / str(tables[table_name].path), as_csv(rows).encode())


def mimic_iv(shared: Path, folder: Path) -> None:
    """The patients with the fewest stays and results, one of them dead."""
    given = shared / "mimic-iv-demo" / "csv"
    _few_of_csv("mimic_iv", given, folder, lambda _: _mimic_people(shared), "patients")


def _mimic_people(shared: Path) -> set[str]:
    """Those of whom the fewest results are known, among them one who died."""
    hosp = shared / "mimic-iv-demo" / "csv" / "hosp"
    header, *rows = _csv_rows(hosp / "patients.csv.gz")
    results = [line.split(",")[1] for line in read_text(hosp / "labevents.csv.gz").splitlines()]
    fewest = sorted(rows, key=lambda row: (results.count(row[0]), row[0]))
    died = next(row for row in fewest if row[header.index("dod")])
    return {row[0] for row in [died, *fewest][:PATIENTS]}


def synthea_csv(shared: Path, folder: Path) -> None:
    """The patients with the fewest encounters, one of them dead."""

    def people(rows: Rows) -> set[str]:
        header, *patients = rows
        encounters = read_text(shared / "synthea-csv" / "encounters.csv")
        fewest = sorted(patients, key=lambda row: (encounters.count(row[0]), row[0]))
        died = next(row for row in fewest if row[header.index("DEATHDATE")])
        return {row[0] for row in [died, *fewest][:PATIENTS]}

    _few_of_csv("synthea_csv", shared / "synthea-csv", folder, people, "patients")


def chu_second_dump(_: Path, folder: Path) -> None:
    """A generated night dump of a few patients."""
    chu_second.generate(folder, patients=2 * PATIENTS)


# --- FHIR ----------------------------------------------------------------------------------------------------------

FOR_ALL = ("MimicOrganization", "MimicLocation")
KIND = re.compile(r"/(?:StructureDefinition|CodeSystem|identifier)/[a-z0-9-]+")  # what a resource is, and what it holds
PATIENT = re.compile(r'"Patient/([^"]+)"')


def mimic_iv_fhir(shared: Path, folder: Path) -> None:
    """A few small patients who together have every kind of resource, with the medications that they name."""
    given = shared / "mimic-iv-demo" / "fhir" / "fhir"
    lines = {path.name: read_text(path).splitlines() for path in sorted(given.glob("*.ndjson.gz"))}
    chosen = _few_with_all_kinds(lines)
    kept = {name: of if name.startswith(FOR_ALL) else _naming(chosen, of) for name, of in lines.items()}
    for name in ("MimicMedicationMix.ndjson.gz", "MimicMedication.ndjson.gz"):  # a mix names its medications
        named = "\n".join(line for of in kept.values() for line in of)
        kept[name] = [line for line in lines[name] if f'Medication/{json.loads(line)["id"]}"' in named]
    for name, of in kept.items():
        write_bytes(folder / name, "".join(f"{line}\n" for line in of).encode())


def _few_with_all_kinds(lines: dict[str, list[str]]) -> set[str]:
    """Take, again and again, the patient who brings the most new kinds for his size."""
    kinds: dict[str, set[str]] = {}
    size: Counter[str] = Counter()
    for line in (line for of in lines.values() for line in of):
        if named := PATIENT.search(line):
            kinds.setdefault(named[1], set()).update(KIND.findall(line))
            size[named[1]] += 1
    missing, chosen = set().union(*kinds.values()), set()
    while missing:
        best = max(sorted(kinds), key=lambda patient: len(kinds[patient] & missing) / size[patient])
        chosen.add(best)
        missing -= kinds[best]
    return chosen


def _naming(ids: Iterable[str], lines: list[str]) -> list[str]:
    return [line for line in lines if any(i in line for i in ids)]


def synthea_fhir(shared: Path, folder: Path) -> None:
    """The smallest Bundles that have every type of resource together."""
    bundles = sorted((shared / "synthea-fhir-r4").glob("*.json.gz"), key=lambda path: path.stat().st_size)
    types = {path: set(re.findall(r'"resourceType": *"(\w+)"', read_text(path))) for path in bundles}
    missing = set().union(*types.values())
    while missing:
        best = max(bundles, key=lambda path: len(types[path] & missing) / path.stat().st_size)
        write_bytes(folder / best.name, read_bytes(best))
        missing -= types[best]


# --- PostgreSQL ----------------------------------------------------------------------------------------------------


def aphp_socle(shared: Path, folder: Path) -> None:
    """All eleven patients: as files here, as tables in the database (`tests.hostile.database`)."""
    for name in _declared("aphp_socle").tables:
        write_bytes(folder / f"{name}.csv", (shared / "aphp-socle-demo" / f"{name}.csv").read_bytes())


COPIES: dict[str, Callable[[Path, Path], None]] = {
    "mimic_iv": mimic_iv,
    "mimic_iv_fhir": mimic_iv_fhir,
    "synthea_csv": synthea_csv,
    "synthea_fhir": synthea_fhir,
    "aphp_socle": aphp_socle,
    "chu_second": chu_second_dump,
}
