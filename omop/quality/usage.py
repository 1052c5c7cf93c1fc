"""How often each concept is used, and what the vocabulary says of it: each distinct concept is looked up once.

One statement counts the rows of every table by the concepts that they hold together. That is small (what a hospital
records repeats), so the checks on concepts are sums over it; no row is ever joined with the vocabulary. Counts of
disjoint rows add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omop.cdm import table as cdm_table
from omop.quality.checks import CONCEPT, Check, checks_of
from omop.quality.needs import Tables, missing
from omop.quality.results import Tally
from omop.quality.scan import KNOWN_CONCEPTS, Resolve, words

if TYPE_CHECKING:
    import pyarrow as pa

USED = "used_concept"  # the view of distinct ids that the two look-ups join
SEX = {"Male": 8507, "Female": 8532}
NO_UNIT = -1  # how the dashboard writes that a unit may be absent
_ON_COLUMN = ("isRequired", "measureValueCompleteness", "standardConceptRecordCompleteness",
              "sourceConceptRecordCompleteness")  # fmt: skip
_GENDER, _HAS_NUMBER, _N, _TABLE = "gender", "has_number", "n", "cdm_table"


@dataclass(frozen=True)
class Usage:
    """Rows counted by (table, concepts, sex of the person, whether a number is there).

    ``counts`` holds the columns ``cdm_table``, ``gender``, ``has_number``, ``n`` and ``c0``, ``c1``…, which mean for
    each table its ``columns``, in order.
    """

    columns: Mapping[str, Sequence[str]]
    counts: "pa.Table"


@dataclass(frozen=True)
class Concept:
    """What the vocabulary says of a concept."""

    standard: bool  # and valid
    domain: str | None
    concept_class: str | None


def concept_columns(table: str, tables: Tables) -> list[str]:
    """Columns of a table that hold concepts and exist; none for the vocabulary, which is about every concept."""
    if table not in tables or cdm_table(table).schema == "VOCAB":
        return []
    return [
        c.name
        for c in cdm_table(table).columns
        if c.references and c.references[0] == CONCEPT and c.name in tables[table]
    ]


def is_about_concepts(check: Check, tables: Tables) -> bool:
    """Whether a check is computed here; all others are in the scan of their table."""
    if check.field is None or check.field not in concept_columns(check.table, tables):
        return False
    of_vocabulary = check.name in ("fkDomain", "fkClass", "isStandardValidConcept") or check.other_table == CONCEPT
    return of_vocabulary or check.concept is not None or check.name in _ON_COLUMN


def usage_query(names: Iterable[str], tables: Tables, resolve: Resolve) -> tuple[str, dict[str, list[str]]] | None:
    """One statement for all tables, and the meaning of its columns; None when no table holds a concept."""
    columns = {name: found for name in names if (found := concept_columns(name, tables))}
    if not columns:
        return None
    width = max(map(len, columns.values()))
    branches = [_branch(name, found, width, tables, resolve) for name, found in columns.items()]
    return "\nUNION ALL\n".join(branches), columns


def _branch(name: str, columns: list[str], width: int, tables: Tables, resolve: Resolve) -> str:
    by_sex = {"person_id", "gender_concept_id"} <= {*tables.get("person", {})} and any(
        check.name.startswith("plausibleGender") for check in checks_of(name)
    )
    cells = [f"CAST(t.{column} AS bigint)" for column in columns]
    cells += ["CAST(NULL AS bigint)"] * (width - len(columns))
    keys = {f"c{i}": cell for i, cell in enumerate(cells)}
    keys[_GENDER] = "CAST(p.gender AS bigint)" if by_sex else "CAST(NULL AS bigint)"
    keys[_HAS_NUMBER] = "t.value_as_number IS NOT NULL" if "value_as_number" in tables[name] else "false"
    join = (
        f" LEFT JOIN (SELECT person_id, min(gender_concept_id) AS gender FROM {resolve('person')} GROUP BY person_id)"
        " AS p ON p.person_id = t.person_id"
        if by_sex
        else ""
    )
    inner = ", ".join(f"{cell} AS {key}" for key, cell in keys.items())
    return (
        f"SELECT '{name}' AS {_TABLE}, {', '.join(keys)}, count(*) AS {_N} "
        f"FROM (SELECT {inner} FROM {resolve(name)} AS t{join}) AS u GROUP BY {', '.join(keys)}"
    )


def used_concepts(usage: Usage) -> "pa.Table":
    """Each distinct concept id, to be made the view `USED`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [name for name in usage.counts.column_names if name[0] == "c" and name[1:].isdigit()]
    ids = pa.chunked_array([chunk for name in names for chunk in usage.counts[name].chunks], pa.int64())
    return pa.table({"concept_id": pc.unique(ids.drop_null())})


def concepts_query(resolve: Resolve) -> str:
    """What the vocabulary says of the concepts in use: the vocabulary is read once."""
    return (
        "SELECT c.concept_id, min(c.standard_concept) AS standard_concept, min(c.invalid_reason) AS invalid_reason, "
        "min(c.domain_id) AS domain_id, min(c.concept_class_id) AS concept_class_id "
        f"FROM {resolve(CONCEPT)} AS c JOIN {USED} AS u ON u.concept_id = c.concept_id GROUP BY c.concept_id"
    )


def descendants_query(checks: Iterable[Check], resolve: Resolve) -> str | None:
    """Which of the concepts in use descend from those that a check names; None when none does."""
    ancestors = sorted({c for check in checks if check.name.endswith("Descendants") for c in words(str(check.concept))})
    if not ancestors:
        return None
    return (
        "SELECT DISTINCT a.ancestor_concept_id AS ancestor, a.descendant_concept_id AS descendant "
        f"FROM {resolve('concept_ancestor')} AS a JOIN {USED} AS u ON u.concept_id = a.descendant_concept_id "
        f"WHERE a.ancestor_concept_id IN ({', '.join(ancestors)})"
    )


def read_concepts(rows: Iterable[Mapping[str, object]]) -> dict[int, Concept]:
    """Rows of `concepts_query`."""
    return {
        int(str(row["concept_id"])): Concept(
            row["standard_concept"] == "S" and not row["invalid_reason"],
            _text(row["domain_id"]),
            _text(row["concept_class_id"]),
        )
        for row in rows
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


Counts = Mapping[int | None, int]  # concept → rows


def tallies(
    usage: Usage,
    checks: Iterable[Check],
    tables: Tables,
    concepts: Mapping[int, Concept],
    descendants: Mapping[int, set[int]],
) -> tuple[list[Tally], list[tuple[Check, str]]]:
    """Violations of each check on concepts; and the checks that could not run, with the reason.

    Args:
        concepts: what the vocabulary says of those in use; what is not here is absent from this copy.
        descendants: ancestor → those of its descendants that are in use.
    """
    found, unevaluated = [], []
    by_column: dict[tuple[str, str], Counts] = {}
    by_pair: dict[tuple[str, str], list[Row]] = {}
    for check in checks:
        if lacking := missing(check, tables, None):
            unevaluated.append((check, lacking))
            continue
        place = (check.table, str(check.field))
        if check.concept is not None:
            rows = by_pair[place] = by_pair.get(place) or _rows_of(usage, *place)
            found.append(_of_concept(check, rows, descendants))
        else:
            counts = by_column[place] = by_column.get(place) or _counts_of(usage, *place)
            found.append(_of_column(check, counts, concepts))
    return found, unevaluated


def _of_column(check: Check, counts: Counts, concepts: Mapping[int, Concept]) -> Tally:
    rows = sum(counts.values())
    if check.name in ("isRequired", "measureValueCompleteness"):
        return Tally(check, counts.get(None, 0), rows)
    if check.name.endswith("RecordCompleteness"):
        return Tally(check, counts.get(0, 0), rows)
    here = {concept: n for concept, n in counts.items() if concept is not None}
    if check.name == "isForeignKey":
        absent = sum(n for concept, n in here.items() if concept not in concepts and concept not in KNOWN_CONCEPTS)
        return Tally(check, absent, rows)
    # Absent from this copy is another fact than not standard, or of another domain.
    known = {concept: n for concept, n in here.items() if concept in concepts}
    wrong = sum(n for concept, n in known.items() if concept != 0 and not _fits(check, concepts[concept]))
    return Tally(check, wrong, sum(known.values()))


def _fits(check: Check, concept: Concept) -> bool:
    if check.name == "isStandardValidConcept":
        return concept.standard
    said = concept.domain if check.name == "fkDomain" else concept.concept_class
    return said in words(check.argument)


@dataclass(frozen=True)
class Row:
    """Rows with one concept, one sex and one unit."""

    concept: int | None
    gender: int | None
    unit: int | None
    has_number: bool
    n: int


def _of_concept(check: Check, rows: Iterable[Row], descendants: Mapping[int, set[int]]) -> Tally:
    asked = {int(concept) for concept in words(str(check.concept))}
    if check.name == "plausibleGenderUseDescendants":
        asked = set().union(*(descendants.get(ancestor, set()) for ancestor in asked))
    here = [row for row in rows if row.concept in asked]
    if check.name == "plausibleUnitConceptIds":
        accepted = {int(unit) for unit in words(check.argument)}
        here = [row for row in here if row.has_number]
        wrong = sum(row.n for row in here if (NO_UNIT if row.unit is None else row.unit) not in accepted)
    else:  # a sex that is not known contradicts nothing
        wrong = sum(row.n for row in here if row.gender in SEX.values() and row.gender != SEX[check.argument])
    return Tally(check, wrong, sum(row.n for row in here))


def _counts_of(usage: Usage, table: str, column: str) -> Counts:
    name = _cell(usage, table, column)
    summed = _of_table(usage, table).group_by(name).aggregate([(_N, "sum")])
    return dict(zip(summed[name].to_pylist(), summed[f"{_N}_sum"].to_pylist(), strict=True))


def _rows_of(usage: Usage, table: str, column: str) -> list[Row]:
    here = _of_table(usage, table)
    concept = _cell(usage, table, column)
    unit = _cell(usage, table, "unit_concept_id") if "unit_concept_id" in usage.columns[table] else None
    keys = [concept, _GENDER, _HAS_NUMBER, *([unit] if unit else [])]
    return [
        Row(row[concept], row[_GENDER], row[unit] if unit else None, row[_HAS_NUMBER], row[f"{_N}_sum"])
        for row in here.group_by(keys).aggregate([(_N, "sum")]).to_pylist()
    ]


def _of_table(usage: Usage, table: str) -> "pa.Table":
    import pyarrow.compute as pc

    return usage.counts.filter(pc.field(_TABLE) == table)


def _cell(usage: Usage, table: str, column: str) -> str:
    return f"c{list(usage.columns[table]).index(column)}"
