"""What the last check found beside the quality checks: reconciliation, completeness, socle commun, conformance."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from omop.lake import Lake
from omop.quality.comparisons import CONTROL, NAMES
from omop.quality.conformance import GUIDE
from omop.quality.coverage import STAYS
from omop.quality.socle import items
from passerelle.findings import Findings, of_source, read_one
from passerelle.report.facts import Assessment, Comparison, Feed, ShareMap, SocleItem, Statement
from passerelle.report.timeline import Axis, axis_of

SITES = 12
Row = dict[str, Any]
Months = Counter[int]


def collect_assessment(lake: Lake, source: str) -> Assessment:
    """Everything that the last check of a source wrote down; what an older run did not compute is empty."""
    found = read_one(lake, source)
    coverage = of_source(lake, "coverage", source)
    stays = Counter[int]()
    for row in coverage:
        if row["key"] == STAYS:
            stays[row["month"]] += row["stays"]
    axis = axis_of(stays) if stays else None
    return Assessment(
        comparisons=_comparisons(found.reconciliations),
        controls=[
            (row["cdm_field"], row["cdm_table"], row["status"], row["reason"] or "")
            for row in found.reconciliations
            if row["check"] == CONTROL
        ],
        feeds=[
            Feed(f["care_site"], f["cdm_table"], f["began"], f["usual_share"], f["holes"])
            for f in sorted(found.feeds, key=lambda f: (f["care_site"], f["cdm_table"]))
        ],
        sites=_site_maps(found, coverage, axis) if axis else (),
        socle=_socle(found.socle),
        socle_map=_socle_map(coverage, stays, axis) if axis else None,
        statements=[
            Statement(r["statement"], r["level"], r["asks"], r["status"], r["how"], r["evidence"])
            for r in found.conformance
        ],
        guide=GUIDE,
    )


def _comparisons(rows: Sequence[Row]) -> list[Comparison]:
    found = []
    for name in NAMES:
        here = [row for row in rows if row["check"] == name]
        bad = [row for row in here if row["status"] in ("failed", "not evaluated")]
        worst = max(bad, key=lambda row: row["violated"] or 0, default=None)
        told = f"{worst['cdm_table']}: {worst['reason'] or worst['violated']}" if worst else ""
        found.append(Comparison(name, len(here), len(bad), told))
    return [comparison for comparison in found if comparison.compared]


def _site_maps(found: Findings, coverage: Sequence[Row], axis: Axis) -> list[ShareMap]:
    """One picture a table: the largest care sites by period."""
    by_site: dict[tuple[str, int | None], Months] = {}
    for row in coverage:
        by_site.setdefault((row["key"], row["care_site_id"]), Counter())[row["month"]] += row["stays"]
    size = {site: sum(months.values()) for (key, site), months in by_site.items() if key == STAYS}
    largest = sorted(size, key=lambda site: -size[site])[:SITES]
    tables = sorted({key for key, _ in by_site} - set(items()) - {STAYS})
    return [
        ShareMap(
            table,
            axis.unit,
            axis.labels,
            {
                found.site_names.get(site, "no care site"): _shares(
                    axis, by_site.get((table, site), Counter()), by_site[STAYS, site]
                )
                for site in largest
            },
        )
        for table in tables
    ]


def _socle(rows: Sequence[Row]) -> list[SocleItem]:
    known = items()
    return [
        SocleItem(
            row["item"],
            known[row["item"]].group,
            known[row["item"]].label,
            row["status"],
            row["having"],
            row["of"],
            row["unit"],
            known[row["item"]].remark,
        )
        for row in rows
    ]


def _socle_map(coverage: Sequence[Row], stays: Months, axis: Axis) -> ShareMap:
    by_item: dict[str, Months] = {number: Counter() for number, item in items().items() if item.table != "crosswalk"}
    for row in coverage:
        if row["key"] in by_item:
            by_item[row["key"]][row["month"]] += row["stays"]
    rows = {f"{number} {items()[number].label}": _shares(axis, months, stays) for number, months in by_item.items()}
    return ShareMap("socle commun", axis.unit, axis.labels, rows)


def _shares(axis: Axis, having: Months, stays: Months) -> list[tuple[int, int]]:
    return list(zip(axis.spread(having), axis.spread(stays), strict=True))
