-- What was read in notes. Grain: one row per row of note_nlp.
WITH
-- 1. Sources.
annotation AS (
    SELECT note_nlp_id, note_id, section_concept_id, snippet, `offset`, lexical_variant, note_nlp_concept_id,
        note_nlp_source_concept_id, nlp_system, nlp_date, nlp_datetime, term_exists, term_temporal, term_modifiers
    FROM omop.note_nlp
),
note AS (SELECT note_id, person_id, visit_occurrence_id, note_date, note_datetime FROM omop.note),
named AS (SELECT concept_id, concept_name FROM steps.named),
-- 2. Steps.
letter AS (
    SELECT note_id, min(person_id) AS person_id, min(visit_occurrence_id) AS visit_occurrence_id,
        max(coalesce(note_datetime, CAST(note_date AS timestamp) + INTERVAL 1 DAY)) AS available_at
    FROM note
    GROUP BY note_id
),
read AS (
    SELECT annotation.note_nlp_id, annotation.note_id, letter.person_id, letter.visit_occurrence_id,
        annotation.section_concept_id, annotation.snippet, annotation.`offset`, annotation.lexical_variant,
        annotation.note_nlp_concept_id, annotation.note_nlp_source_concept_id, annotation.nlp_system,
        annotation.term_exists, annotation.term_temporal, annotation.term_modifiers,
        coalesce(annotation.nlp_datetime, CAST(annotation.nlp_date AS timestamp)) AS read_at,
        coalesce(annotation.nlp_datetime, CAST(annotation.nlp_date AS timestamp) + INTERVAL 1 DAY) AS done_at,
        letter.available_at AS letter_available_at
    FROM annotation
    LEFT JOIN letter ON letter.note_id = annotation.note_id
)
-- 3. Result.
SELECT
    read.note_nlp_id,
    read.note_id,
    read.person_id,
    read.visit_occurrence_id,
    read.section_concept_id,
    read.snippet,
    read.`offset` AS position,
    read.lexical_variant,
    read.note_nlp_concept_id AS concept_id,
    named.concept_name,
    read.note_nlp_source_concept_id AS source_concept_id,
    read.term_exists,
    read.term_temporal,
    read.term_modifiers,
    read.nlp_system,
    read.read_at,
    -- Not before the letter itself, whatever the clock of the reading machine says.
    CASE WHEN read.letter_available_at > read.done_at THEN read.letter_available_at ELSE read.done_at END AS available_at
FROM read
LEFT JOIN named ON named.concept_id = read.note_nlp_concept_id
