"""What the last check of each source found, read from ``ops``: for the command line, for files. Opens no engine."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from etl.compiler import compile_source
from etl.declaration import source_folder
from omop.cdm import cdm_tables
from omop.delta_read import dataset
from omop.lake import Lake, is_delta
from omop.quality.comparisons import NAMES
from omop.quality.conformance import GUIDE
from omop.quality.coverage import STAYS, Course, course_of
from omop.quality.dashboard import dashboard
from omop.quality.results import STATUSES
from omop.quality.socle import items
from passerelle import residue, runs
from passerelle.errors import UsageError
from passerelle.settings import Settings
from passerelle.workspace import Workspace
from spark_jobs import ops

Row = dict[str, Any]
OUR_OWN = tuple(name for name, table in cdm_tables().items() if table.extension)
SEVERITIES = ("fatal", "convention", "characterization")
SHOWN = 12


@dataclass(frozen=True)
class Findings:
    """What was found about one source."""

    source: str
    run_id: str
    checks: Sequence[Row]
    reconciliations: Sequence[Row]
    courses: Mapping[tuple[str, int | None], Course]  # (table, care site) → how it is filled over time
    site_names: Mapping[int | None, str]
    socle: Sequence[Row]
    conformance: Sequence[Row]
    residue: Sequence[Row] = ()  # identifiers that the CDM still holds, by column and kind

    @property
    def gaps(self) -> list[Row]:
        """Tables that stopped for a while at a care site."""
        return [feed for feed in self.feeds if feed["holes"]]

    @property
    def feeds(self) -> list[Row]:
        """When each table began at each care site, the share of its stays that have it since, and its holes."""
        return [
            {
                "cdm_table": table,
                "care_site": self.site_names.get(site, "no care site"),
                "began": month_name(course.began),
                "usual_share": round(course.usual, 3),
                "holes": [month_name(month) for month in course.holes],
            }
            for (table, site), course in self.courses.items()
        ]

    def as_json(self) -> Row:
        """Everything, for machines."""
        return {
            "source": self.source,
            "run_id": self.run_id,
            "quality": {severity: _by_status(self.checks, severity) for severity in SEVERITIES},
            "failed": [row for row in self.checks if row["status"] == "failed"],
            "reconciliation": self.reconciliations,
            "identifiers": self.residue,
            "completeness": self.feeds,
            "socle": self.socle,
            "conformance": {"guide": GUIDE, "statements": self.conformance},
        }  # fmt: skip

    def _quality_line(self) -> str:
        own = sum(row["cdm_table"] in OUR_OWN for row in self.checks)
        return f"quality: {len(self.checks) - own} checks of the OHDSI list, {own} of our tables beside the CDM"

    def as_text(self) -> str:
        """What a person reads at the terminal."""
        lines = [
            f"source {self.source}, run {self.run_id}",
            "",
            self._quality_line(),
        ]
        for severity in SEVERITIES:
            counts = _by_status(self.checks, severity)
            lines.append(f"  {severity:<18}" + ", ".join(f"{counts[status]} {status}" for status in STATUSES))
        lines += _listed([f"{r['check']} {_place(r)}: {r['violated']} of {r['rows']} rows ({r['severity']})"
                          for r in self.checks if r["status"] == "failed"])  # fmt: skip
        failed = [r for r in self.reconciliations if r["status"] != "passed" and r["status"] != "not applicable"]
        lines += [
            "",
            f"reconciliation: {len(self.reconciliations)} comparisons, {len(failed)} that differ or cannot run",
        ]
        lines += _listed([f"{r['check']} {_place(r)}: {r['reason'] or r['violated']}" for r in failed])
        left = [r for r in self.residue if r["status"] == "failed"]
        searched = len({(r["cdm_table"], r["cdm_field"]) for r in self.residue})
        lines += ["", f"identifiers of the crosswalk: searched in {searched} columns, left in {len(left)}"]
        lines += _listed([f"{r['check']} {_place(r)}: {r['reason']} ({r['severity']})" for r in left])
        lines += ["", f"completeness: {len(self.courses)} feeds (table × care site), {len(self.gaps)} with holes"]
        lines += _listed([f"{g['cdm_table']} at {g['care_site']}: {', '.join(g['holes'])}" for g in self.gaps])
        present = [row for row in self.socle if row["status"] == "present"]
        absent = [row["item"] for row in self.socle if row["status"] == "absent"]
        lines += ["", f"socle commun: {len(present)} of {len(self.socle)} items present"]
        lines += [f"  absent: {', '.join(f'{n} {items()[n].label}' for n in absent)}"] if absent else []
        counted = Counter(row["status"] for row in self.conformance)
        lines += ["", f"{GUIDE}: " + ", ".join(f"{n} {status}" for status, n in sorted(counted.items()))]
        lines += _listed([f"{r['statement']} ({r['level']}) {r['asks']}: {r['evidence']}"
                          for r in self.conformance if r["status"] == "fail"])  # fmt: skip
        return "\n".join(lines)


def _by_status(rows: Sequence[Row], severity: str) -> dict[str, int]:
    return {status: sum(r["severity"] == severity and r["status"] == status for r in rows) for status in STATUSES}


def _place(row: Row) -> str:
    return ".".join(str(part) for part in (row["cdm_table"], row["cdm_field"], row["concept_id"]) if part)


def _listed(lines: Sequence[str]) -> list[str]:
    rest = [f"  … {len(lines) - SHOWN} more (--json gives all)"] if len(lines) > SHOWN else []
    return [f"  - {line}" for line in lines[:SHOWN]] + rest


def month_name(month: int | None) -> str | None:
    """``24290`` → ``2024-03``."""
    return None if month is None else f"{month // 12}-{month % 12 + 1:02d}"


# --- Reading -------------------------------------------------------------------------------------------------------


def lake_of(settings: Settings) -> Lake:
    """The lake of a workspace that exists."""
    workspace = Workspace(settings.workspace)
    workspace.manifest()  # says so when there is none
    return workspace.lake


def is_due(lake: Lake, source: str) -> bool:
    """Whether the newest run of a source still has its check before it."""
    known = runs.load(lake, _name(source))
    return not known or "checked" not in known[-1].events


def read(lake: Lake, source: str | None = None) -> list[Findings]:
    """The findings of the last check of a source, or of all.

    Raises: UsageError: nothing was checked.
    """
    wanted = None if source is None else _name(source)
    names = sorted({run.source for run in runs.load(lake, wanted) if "checked" in run.events})
    if not names:
        raise UsageError(
            "nothing was checked yet", looked=str(lake.ops("run")), do="passerelle run SOURCE --workspace W"
        )
    return [read_one(lake, name) for name in names]


def _name(source: str) -> str:
    return compile_source(source_folder(source)).source.name


def read_one(lake: Lake, source: str) -> Findings:
    """The findings of the last check of a source that was checked."""
    run = runs.last_with(lake, source, "checked")
    assert run is not None
    results = ops.read(lake, "quality", run.run_id)
    return Findings(
        source,
        run.run_id,
        [row for row in results if row["check"] not in (*NAMES, *residue.CHECKS)],
        [row for row in results if row["check"] in NAMES],
        courses(of_source(lake, "coverage", source)),
        site_names(lake),
        of_source(lake, "socle", source),
        of_source(lake, "conformance", source),
        [row for row in results if row["check"] in residue.CHECKS],
    )


def of_source(lake: Lake, table: str, source: str) -> list[Row]:
    """Rows of a bookkeeping table that keeps the newest run of each source only."""
    return [row for row in ops.read(lake, table) if row["source"] == source]


def courses(coverage: Sequence[Row]) -> dict[tuple[str, int | None], Course]:
    """How each table is filled at each care site over time."""
    stays: dict[int | None, dict[int, int]] = {}
    having: dict[tuple[str, int | None], dict[int, int]] = {}
    for row in coverage:
        if row["key"] == STAYS:
            stays.setdefault(row["care_site_id"], {})[row["month"]] = row["stays"]
        elif row["key"] not in items():
            having.setdefault((row["key"], row["care_site_id"]), {})[row["month"]] = row["stays"]
    return {
        place: course_of({month: (n, months.get(month, 0)) for month, n in stays.get(place[1], {}).items()})
        for place, months in sorted(having.items(), key=str)
    }


def site_names(lake: Lake) -> dict[int | None, str]:
    """Care site → its name, where the CDM has it."""
    path = lake.omop("care_site")
    if not is_delta(path):
        return {}
    rows = dataset(path).to_table(columns=["care_site_id", "care_site_name"]).to_pylist()
    return {row["care_site_id"]: row["care_site_name"] for row in rows if row["care_site_name"]}


# --- For the dashboard of OHDSI ------------------------------------------------------------------------------------


def write_dashboard(lake: Lake, found: Sequence[Findings], path: Path) -> None:
    """Write the results of one source in the shape of the OHDSI dashboard.

    Raises: UsageError: there are several sources, and the file holds one.
    """
    if len(found) != 1:
        names = ", ".join(entry.source for entry in found)
        raise UsageError(
            "the file of the dashboard holds one source", looked=names, do="name it: passerelle check SOURCE"
        )
    (entry,) = found
    row = next(r for r in ops.read(lake, "run", entry.run_id) if r["event"] == "checked")
    ended: datetime = row["at"]
    started = ended - timedelta(seconds=row["seconds"])
    sources = dataset(lake.omop("cdm_source")).to_table().to_pylist() if is_delta(lake.omop("cdm_source")) else []
    about = _cdm_source(lake, sources, entry.source)
    path.write_text(
        json.dumps(
            dashboard([row for row in entry.checks if row["cdm_table"] not in OUR_OWN], about, started, ended),
            indent=1,
            default=str,
        ),
        encoding="utf-8",
    )


def _cdm_source(lake: Lake, rows: Sequence[Row], source: str) -> Row:
    manifest = Workspace(lake.workspace).manifest()
    bucket = manifest["sources"][source] * manifest["buckets"]
    found = next((row for row in rows if row.get("person_bucket") == bucket), {})
    return {name: value for name, value in found.items() if name != "person_bucket"}
