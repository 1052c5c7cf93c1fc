-- Diagnoses. Grain: one row per row of condition_occurrence.
-- Not here: circumstances and history (CIM-10 Z codes), which their concept's domain sends to observation.
WITH
-- 1. Sources.
condition AS (
    SELECT condition_occurrence_id, person_id, visit_occurrence_id, condition_concept_id, condition_source_value,
        condition_source_concept_id, condition_status_source_value, condition_start_date, condition_start_datetime
    FROM omop.condition_occurrence
),
visit AS (
    SELECT visit_occurrence_id, visit_start_date, visit_start_datetime, visit_end_date, visit_end_datetime
    FROM omop.visit_occurrence
),
concept AS (SELECT concept_id, concept_name FROM omop.concept),
-- 2. Steps.
stay AS (
    -- One row a stay even where visits are repeated; the end as in the view of stays.
    SELECT visit_occurrence_id,
        max(CASE WHEN visit_end_datetime IS NOT NULL THEN visit_end_datetime
            WHEN visit_end_date > visit_start_date OR visit_start_datetime IS NULL
            THEN CAST(visit_end_date AS timestamp) + INTERVAL 1 DAY END) AS ended_at
    FROM visit
    GROUP BY visit_occurrence_id
),
named AS (SELECT concept_id, min(concept_name) AS concept_name FROM concept WHERE concept_id <> 0 GROUP BY concept_id),
known AS (
    SELECT condition.condition_occurrence_id, condition.person_id, condition.visit_occurrence_id,
        condition.condition_concept_id, condition.condition_source_value, condition.condition_source_concept_id,
        condition.condition_status_source_value, condition.condition_start_date, stay.ended_at,
        coalesce(condition.condition_start_datetime,
            CAST(condition.condition_start_date AS timestamp) + INTERVAL 1 DAY) AS start_available_at
    FROM condition
    LEFT JOIN stay ON stay.visit_occurrence_id = condition.visit_occurrence_id
)
-- 3. Result.
SELECT
    known.condition_occurrence_id,
    known.person_id,
    known.visit_occurrence_id,
    known.condition_concept_id,
    named.concept_name,
    known.condition_source_value AS source_code,
    known.condition_source_concept_id AS source_concept_id,
    known.condition_status_source_value AS status,
    known.condition_start_date AS started_on,
    -- Codes are written at discharge, not when the disease began.
    CASE WHEN known.ended_at > known.start_available_at THEN known.ended_at
        ELSE known.start_available_at END AS available_at
FROM known
LEFT JOIN named ON named.concept_id = known.condition_concept_id
