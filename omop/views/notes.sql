-- Notes and letters, pseudonymised before they reached OMOP. Grain: one row per row of note.
WITH
-- 1. Sources.
note AS (
    SELECT note_id, person_id, visit_occurrence_id, visit_detail_id, provider_id, note_type_concept_id,
        note_class_concept_id, note_title, note_text, note_source_value, language_concept_id, note_date, note_datetime
    FROM omop.note
),
named AS (SELECT concept_id, concept_name FROM steps.named)
-- 3. Result.
SELECT
    note.note_id,
    note.person_id,
    note.visit_occurrence_id,
    note.visit_detail_id,
    note.provider_id,
    note.note_type_concept_id,
    note.note_class_concept_id,
    named.concept_name AS note_class,
    note.note_source_value AS source_code,
    note.note_title AS title,
    note.note_text AS text,
    note.language_concept_id,
    coalesce(note.note_datetime, CAST(note.note_date AS timestamp)) AS written_at,
    coalesce(note.note_datetime, CAST(note.note_date AS timestamp) + INTERVAL 1 DAY) AS available_at
FROM note
LEFT JOIN named ON named.concept_id = note.note_class_concept_id
