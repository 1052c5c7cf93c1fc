"""Resolve source codes to standard concepts, once per distinct code. SQL over small views; no code is ever dropped.

Order: declared map → the vocabulary's "Maps to" → the longest known parent (when declared) → concept 0 with the reason.
"""

from etl.compiler import CodeSlot, CompiledMapping
from etl.declaration import Source, Vocabulary
from etl.sql_text import literal

# Why a code is on the list. Absence is a fact about this copy; the others are facts about the vocabulary.
UNKNOWN = "code not in this copy of the vocabulary"
ABSENT = "standard concept not in this copy of the vocabulary"
INVALID = "the concept is invalid (deprecated)"
NO_STANDARD = "no standard concept"
NOT_STANDARD = "the concept is not standard"
# Mapped all the same, with a reservation.
AMBIGUOUS = "mapped, but several concepts bear this code"
GENERALISED = "mapped to the parent code"
UNVERIFIED = "mapped, but the concept is not in this copy of the vocabulary"
RESERVATIONS = frozenset({AMBIGUOUS, GENERALISED, UNVERIFIED})

STANDARD = "t.standard_concept = 'S' AND t.invalid_reason IS NULL"
# States of a way to a concept. Of several that fail, the first in the alphabet is told.
REASONS = {"absent": ABSENT, "invalid": INVALID, "no standard": NO_STANDARD, "not standard": NOT_STANDARD}
REACHED = "state IN ('ambiguous', 'ok', 'unverified')"
SHORTEST_PARENT, LONGEST_PARENT = 3, 7


def slot_codes_query(mapping: CompiledMapping, slot: CodeSlot, view: str) -> str:
    """Distinct codes of one slot: ``h, pos, vocabulary, code, label, mapping, field, n``."""
    kept = "".join(f" AND a.{column} IS NULL" for column in ("_exclude", "_merge") if column in mapping.columns)
    label = f"max(CAST(a.{slot.label} AS string))" if slot.label else "CAST(NULL AS string)"
    branches = [
        f"""
        SELECT a.{slot.hash_column} AS h, {position} AS pos, CAST(a.{vocabulary} AS string) AS vocabulary,
            CAST(a.{code} AS string) AS code, {label} AS label, {literal(mapping.name)} AS mapping,
            {literal(slot.prefix)} AS field, count(*) AS n
        FROM {view} AS a WHERE a.{code} IS NOT NULL{kept}
        GROUP BY a.{slot.hash_column}, a.{vocabulary}, a.{code}
        """
        for position, (code, vocabulary) in enumerate(slot.alternates, start=1)
    ]
    return " UNION ALL ".join(branches)


def normalised(code: str, vocabulary: Vocabulary) -> str:
    """SQL that writes a code the way a vocabulary is looked up."""
    for step in vocabulary.normalise:
        code = {
            "trim": f"trim({code})",
            "no_dot": f"replace({code}, '.', '')",
            "upper": f"upper({code})",
            "ndc11": f"CASE WHEN trim({code}) IN ('0', '') THEN NULL ELSE lpad(trim({code}), 11, '0') END",
        }[step]
    return code


def distinct_codes_query(source: Source, codes: str) -> str:
    """The distinct codes of a run, normalised: ``h, pos, vocabulary, omop_vocabulary, norm``."""
    declared = source.vocabularies
    norm = _choose("vocabulary", {name: normalised("code", v) for name, v in declared.items()}, "trim(code)")
    renamed = {name: literal(v.vocabulary_id) for name, v in declared.items() if v.vocabulary_id}
    return f"""
        SELECT h, pos, vocabulary, {_choose("vocabulary", renamed, "vocabulary")} AS omop_vocabulary, {norm} AS norm
        FROM (SELECT h, pos, vocabulary, code FROM {codes} GROUP BY h, pos, vocabulary, code) AS d
    """


def vocabulary_query(source: Source, concept: str) -> str:
    """Concepts of the vocabularies that a source uses, under normalised codes.

    Gives ``vocabulary_id, norm, concept_id, invalid_reason, bearers``: how many concepts bear the code. A code that was
    given again after its concept was withdrawn is the code of the valid one.
    """
    norms = {v.vocabulary_id or name: normalised("concept_code", v) for name, v in source.vocabularies.items()}
    norm = _choose("vocabulary_id", norms, "trim(concept_code)")
    return f"""
        SELECT vocabulary_id, norm, concept_id, invalid_reason,
            count(*) OVER (PARTITION BY vocabulary_id, norm) AS bearers
        FROM (
            SELECT vocabulary_id, norm, concept_id, invalid_reason, withdrawn,
                min(withdrawn) OVER (PARTITION BY vocabulary_id, norm) AS best
            FROM (
                SELECT vocabulary_id, {norm} AS norm, concept_id, invalid_reason,
                    CASE WHEN invalid_reason IS NULL THEN 0 ELSE 1 END AS withdrawn
                FROM {concept} WHERE concept_code IS NOT NULL
            ) AS named
        ) AS ranked WHERE withdrawn = best
    """


def _choose(column: str, cases: dict[str, str], otherwise: str) -> str:
    """A CASE over the values of a column."""
    if not cases:
        return otherwise
    whens = " ".join(f"WHEN {column} = {literal(value)} THEN {result}" for value, result in cases.items())
    return f"CASE {whens} ELSE {otherwise} END"


def map_order(source: Source) -> list[tuple[str, str, int]]:
    """(vocabulary, map, order) of every declared source-to-concept map."""
    return [(n, m, i) for n, v in source.vocabularies.items() for i, m in enumerate(v.maps, start=1)]


def parents_query(source: Source, distinct: str) -> str | None:
    """Shorter forms of the codes of vocabularies that generalise; None when there is none."""
    names = [literal(name) for name, v in source.vocabularies.items() if v.parents]
    if not names:
        return None
    return " UNION ALL ".join(
        f"""
        SELECT h, pos, vocabulary, omop_vocabulary, substring(norm, 1, {k}) AS norm, {k} AS kept
        FROM {distinct} WHERE vocabulary IN ({", ".join(names)}) AND length(norm) > {k}
        """
        for k in range(SHORTEST_PARENT, LONGEST_PARENT + 1)
    )


def candidates_query(distinct: str, parents: str | None) -> str:
    """Every way to a concept: ``h, pos, method, source_concept_id, concept_id, domain_id, value_concept_id, state``.

    Reads the views ``known_code`` (see `vocabulary_query`), ``map_order``, ``code_map``, ``concept``, ``maps_to``.
    A smaller method is better: 1… declared maps, 100 the vocabulary, 200… parents, the longest first.
    """
    ways = [_by_map(distinct), _by_vocabulary(distinct, "100")]
    if parents:
        ways.append(_by_vocabulary(parents, "300 - d.kept"))
    return " UNION ALL ".join(ways)


def _by_map(distinct: str) -> str:
    """A declared map is the hospital's word: its target stands even when this copy of the vocabulary lacks it."""
    return f"""
        SELECT d.h, d.pos, o.priority AS method,
            coalesce(s.concept_id, nullif(m.source_concept_id, 0), 0) AS source_concept_id,
            m.target_concept_id AS concept_id, t.domain_id, CAST(NULL AS bigint) AS value_concept_id,
            CASE WHEN t.concept_id IS NULL THEN 'unverified' WHEN {STANDARD} THEN 'ok'
                WHEN t.invalid_reason IS NOT NULL THEN 'invalid' ELSE 'not standard' END AS state
        FROM {distinct} AS d
        JOIN map_order AS o ON o.vocabulary = d.vocabulary
        JOIN code_map AS m ON m.map = o.map AND m.source_code = d.norm
        LEFT JOIN known_code AS s ON s.vocabulary_id = d.omop_vocabulary AND s.norm = d.norm
        LEFT JOIN concept AS t ON t.concept_id = m.target_concept_id
        WHERE m.target_concept_id > 0
    """


def _by_vocabulary(codes: str, method: str) -> str:
    """Through the vocabulary: the concept of the code, then itself when standard, else what it maps to."""
    return f"""
        SELECT d.h, d.pos, {method} AS method, s.concept_id AS source_concept_id, t.concept_id, t.domain_id,
            r.value_id AS value_concept_id,
            CASE WHEN {STANDARD} THEN CASE WHEN s.bearers > 1 THEN 'ambiguous' ELSE 'ok' END
                WHEN r.target_id IS NOT NULL AND t.concept_id IS NULL THEN 'absent'
                WHEN t.invalid_reason IS NOT NULL THEN 'invalid'
                WHEN t.concept_id IS NOT NULL THEN 'not standard'
                WHEN s.invalid_reason IS NOT NULL THEN 'invalid'
                ELSE 'no standard' END AS state
        FROM {codes} AS d
        JOIN known_code AS s ON s.vocabulary_id = d.omop_vocabulary AND s.norm = d.norm
        LEFT JOIN maps_to AS r ON r.source_id = s.concept_id
        LEFT JOIN concept AS t ON t.concept_id = r.target_id
    """


def maps_to_query(concept: str, relationship: str) -> str:
    """Concept → standard target, with the value that some maps add: ``source_id, target_id, value_id``.

    A standard concept maps to itself even where the copy of the vocabulary does not say so.
    """
    return f"""
        SELECT r.concept_id_1 AS source_id, r.concept_id_2 AS target_id, v.value_id
        FROM {relationship} AS r
        LEFT JOIN (
            SELECT concept_id_1, min(concept_id_2) AS value_id FROM {relationship}
            WHERE relationship_id = 'Maps to value' AND invalid_reason IS NULL GROUP BY concept_id_1
        ) AS v ON v.concept_id_1 = r.concept_id_1
        WHERE r.relationship_id = 'Maps to' AND r.invalid_reason IS NULL
        GROUP BY r.concept_id_1, r.concept_id_2, v.value_id
        UNION ALL
        SELECT t.concept_id, t.concept_id, CAST(NULL AS bigint)
        FROM {concept} AS t
        LEFT JOIN (
            SELECT concept_id_1 FROM {relationship}
            WHERE relationship_id = 'Maps to' AND invalid_reason IS NULL GROUP BY concept_id_1
        ) AS r ON r.concept_id_1 = t.concept_id
        WHERE {STANDARD} AND r.concept_id_1 IS NULL
    """


def resolved_query(candidates: str) -> str:
    """The best way of each code, and all its targets.

    The first alternate that reaches a concept wins, then the best method; all its targets are kept, ranked.
    A code that is only known, not mapped, keeps its source concept beside concept 0.
    """
    cost = f"(CASE WHEN {REACHED} THEN 0 ELSE 1000000 END) + pos * 1000 + method"
    return f"""
        SELECT h, CAST(row_number() OVER (PARTITION BY h ORDER BY concept_id) AS int) AS rank, source_concept_id,
            concept_id, domain_id, value_concept_id, method, state
        FROM (
            SELECT h, min(source_concept_id) AS source_concept_id, concept_id, min(domain_id) AS domain_id,
                min(value_concept_id) AS value_concept_id, min(method) AS method, min(state) AS state
            FROM (
                SELECT h, method, source_concept_id, CASE WHEN {REACHED} THEN concept_id ELSE 0 END AS concept_id,
                    CASE WHEN state = 'ok' THEN domain_id END AS domain_id, value_concept_id, state,
                    {cost} AS cost, min({cost}) OVER (PARTITION BY h) AS best
                FROM {candidates}
            ) AS weighed
            WHERE cost = best GROUP BY h, concept_id
        ) AS chosen
    """


def gaps_query(codes: str, resolved: str) -> str:
    """What a person should look at: ``mapping, field, vocabulary, code, label, reason, rows``."""
    failed = " ".join(f"WHEN r.state = {literal(state)} THEN {literal(reason)}" for state, reason in REASONS.items())
    reason = f"""
        CASE WHEN r.h IS NULL THEN {literal(UNKNOWN)} {failed}
            WHEN r.state = 'unverified' THEN {literal(UNVERIFIED)}
            WHEN r.state = 'ambiguous' AND r.concepts > 1 THEN {literal(AMBIGUOUS)}
            WHEN r.method >= 200 THEN {literal(GENERALISED)} END
    """
    return f"""
        SELECT mapping, field, vocabulary, code, label, reason, rows
        FROM (
            SELECT c.mapping, c.field, c.vocabulary, c.code, max(c.label) AS label, {reason} AS reason, sum(c.n) AS rows
            FROM {codes} AS c
            LEFT JOIN (
                SELECT h, max(state) AS state, max(method) AS method, count(*) AS concepts FROM {resolved} GROUP BY h
            ) AS r ON r.h = c.h
            WHERE c.pos = 1
            GROUP BY c.mapping, c.field, c.vocabulary, c.code, {reason}
        ) AS g WHERE reason IS NOT NULL
    """
