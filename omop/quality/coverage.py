"""Completeness by month and care site: for each table, and each item of the socle commun, the stays that have it.

One statement. A stay belongs to the month in which it begins and to its care site; what has no stay is not counted.
Counts of disjoint persons add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from omop.cdm import event_roles
from omop.cdm import table as cdm_table
from omop.quality.needs import BIRTH, Tables
from omop.quality.scan import Resolve
from omop.quality.socle import Code, items

STAYS = "visit_occurrence"
NEEDED = ("visit_occurrence_id", "person_id", "visit_start_date", "care_site_id")
EXPECTED = 8  # stays that a month should have had with it, else an empty one may be chance (1 in 3,000)
GAP = 0.25  # of its usual share: below, a month is a hole
CODED = ("measurement",)


def codes_query(codes: Iterable[Code], resolve: Resolve) -> str:
    """Concepts of the codes that stand for items: ``concept_id``, ``vocabulary_id``, ``concept_code``."""
    by_vocabulary: dict[str, list[str]] = {}
    for vocabulary, code in sorted(codes):
        by_vocabulary.setdefault(vocabulary, []).append(_literal(code))
    wanted = " OR ".join(
        f"(vocabulary_id = {_literal(vocabulary)} AND concept_code IN ({', '.join(found)}))"
        for vocabulary, found in by_vocabulary.items()
    )
    return f"SELECT concept_id, vocabulary_id, concept_code FROM {resolve('concept')} WHERE {wanted}"


def coverage_query(tables: Tables, resolve: Resolve, concepts: Mapping[int, str]) -> str | None:
    """Stays by key, month and care site; the key is a table or an item, and that of all stays `STAYS`.

    Args:
        concepts: concept → item.

    Returns: SQL that gives ``key``, ``month`` (year * 12 + month - 1), ``care_site_id``, ``stays``; None when the CDM
        holds no stays.
    """
    if any(column not in tables.get(STAYS, {}) for column in NEEDED):
        return None
    tests: dict[str, list[tuple[str, str]]] = {}
    for item in items().values():
        if item.test and not item.codes:
            tests.setdefault(item.table, []).append((item.number, item.test))
    branches = [_of_stays(resolve, tests[STAYS]), *_of_persons(tables, resolve, tests["person"])]
    branches += [
        _of_events(name, resolve, tests.get(name, []), concepts if name in CODED else {})
        for name in tables
        if name != STAYS and "visit_occurrence_id" in tables[name] and cdm_table(name).person_column
    ]
    if concepts and "observation" in tables:
        branches += [_of_habits(resolve, concepts)]
    stay = (
        "SELECT visit_occurrence_id AS v, min(person_id) AS person_id, "
        "min(year(visit_start_date) * 12 + month(visit_start_date) - 1) AS month, "
        f"min(care_site_id) AS care_site_id FROM {resolve(STAYS)} GROUP BY visit_occurrence_id"
    )
    keyed = "\nUNION ALL\n".join(branches)
    return (
        f"WITH stay AS ({stay}),\nkeyed AS ({keyed}),\nheld AS (SELECT DISTINCT k, v FROM keyed WHERE k IS NOT NULL)\n"
        "SELECT h.k AS key, s.month, s.care_site_id, count(*) AS stays "
        "FROM held AS h JOIN stay AS s ON s.v = h.v GROUP BY h.k, s.month, s.care_site_id"
    )


def _of_stays(resolve: Resolve, tests: Sequence[tuple[str, str]]) -> str:
    return f"SELECT t.visit_occurrence_id AS v, {_keys(STAYS, tests)} AS k FROM {resolve(STAYS)} AS t"


def _of_persons(tables: Tables, resolve: Resolve, tests: Sequence[tuple[str, str]]) -> list[str]:
    """What is known of the person of a stay; a table that is not there knows nothing."""
    if any(column not in tables.get("person", {}) for column in (*BIRTH, "location_id", "gender_concept_id")):
        return []
    absent = "(SELECT CAST(NULL AS bigint) AS {})"
    death = resolve("death") if "death" in tables else absent.format("person_id")
    nowhere = absent.format("location_id, CAST(NULL AS double) AS latitude, CAST(NULL AS double) AS longitude, "
                            "CAST(NULL AS string) AS zip, CAST(NULL AS string) AS location_source_value")  # fmt: skip
    location = resolve("location") if "latitude" in tables.get("location", {}) else nowhere
    return [
        f"SELECT s.v, {_keys(None, tests)} AS k FROM stay AS s JOIN {resolve('person')} AS p "
        f"ON p.person_id = s.person_id LEFT JOIN {location} AS l ON l.location_id = p.location_id "
        f"LEFT JOIN (SELECT DISTINCT person_id FROM {death}) AS d ON d.person_id = p.person_id"
    ]


def _of_events(name: str, resolve: Resolve, tests: Sequence[tuple[str, str]], concepts: Mapping[int, str]) -> str:
    found = [f"'{name}'", *(f"CASE WHEN {test} THEN '{number}' END" for number, test in tests)]
    joins = _item_joins(name, concepts) if concepts else ""
    found += ["m.item", "o.item"] if concepts else []
    return (
        f"SELECT t.visit_occurrence_id AS v, explode(array({', '.join(found)})) AS k FROM {resolve(name)} AS t{joins}"
    )


def _of_habits(resolve: Resolve, concepts: Mapping[int, str]) -> str:
    """Tobacco, alcohol, exercise: said once of a person, and true of all the stays."""
    joins = _item_joins("observation", concepts)
    return (
        f"SELECT s.v, coalesce(m.item, o.item) AS k FROM {resolve('observation')} AS t{joins} "
        "JOIN stay AS s ON s.person_id = t.person_id WHERE coalesce(m.item, o.item) IS NOT NULL"
    )


def _item_joins(name: str, concepts: Mapping[int, str]) -> str:
    """The item of a row, by its standard concept (m) or by its source concept (o)."""
    roles = event_roles(name)
    values = ", ".join(f"({concept}, '{number}')" for concept, number in sorted(concepts.items()))
    return "".join(
        f" LEFT JOIN (VALUES {values}) AS {alias}(concept, item) ON {alias}.concept = t.{column}"
        for alias, column in (("m", roles.concept), ("o", roles.source_concept))
    )


def _keys(name: str | None, tests: Sequence[tuple[str, str]]) -> str:
    found = [f"'{name}'"] if name else []
    return f"explode(array({', '.join([*found, *(f'CASE WHEN {t} THEN {_literal(n)} END' for n, t in tests)])}))"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- When a service began ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """How one table, or one item, is filled at one care site over time."""

    began: int | None  # month; None: nothing ever came
    usual: float  # share of the stays that have it since then
    holes: tuple[int, ...]  # months since then in which next to nothing came


def course_of(months: Mapping[int, tuple[int, int]]) -> Course:
    """When a feed began, its usual share since, and its holes.

    The beginning is the month that best parts "nothing" before from "a constant share" after, months weighed by their
    stays: the step that edsteva fits to a hospital's record.

    Args:
        months: month → (stays, stays that have it).
    """
    series = [(month, stays, having / stays) for month, (stays, having) in sorted(months.items()) if stays]
    if not any(share for _, _, share in series):
        return Course(None, 0.0, ())
    best = min(range(len(series)), key=lambda start: (_loss(series, start), start))
    after = series[best:]
    usual = sum(stays * share for _, stays, share in after) / sum(stays for _, stays, _ in after)
    holes = tuple(month for month, stays, share in after if share < GAP * usual and usual * stays >= EXPECTED)
    return Course(series[best][0], usual, holes)


def _loss(series: Sequence[tuple[int, int, float]], start: int) -> float:
    before = sum(stays * share**2 for _, stays, share in series[:start])
    weight = sum(stays for _, stays, _ in series[start:])
    mean = sum(stays * share for _, stays, share in series[start:]) / weight
    return before + sum(stays * (share - mean) ** 2 for _, stays, share in series[start:])
