-- Diagnoses. Grain: one row per row of condition_occurrence.
-- Not here: circumstances and history (CIM-10 Z codes), which their concept's domain sends to observation.
WITH
-- 1. Sources.
condition AS (
    SELECT condition_occurrence_id, person_id, visit_occurrence_id, condition_concept_id, condition_source_value,
        condition_source_concept_id, condition_status_source_value, condition_status_concept_id, condition_start_date,
        condition_start_datetime, condition_end_date, condition_end_datetime
    FROM omop.condition_occurrence
),
stay AS (SELECT visit_occurrence_id, ended_at FROM steps.ended),
named AS (SELECT concept_id, concept_name FROM steps.named),
-- 2. Steps.
begun AS (
    SELECT condition.condition_occurrence_id, condition.person_id, condition.visit_occurrence_id,
        condition.condition_concept_id, condition.condition_source_value, condition.condition_source_concept_id,
        condition.condition_status_source_value, condition.condition_status_concept_id,
        condition.condition_start_date, condition.condition_end_date, stay.ended_at,
        coalesce(condition.condition_start_datetime,
            CAST(condition.condition_start_date AS timestamp) + INTERVAL 1 DAY) AS start_available_at,
        coalesce(condition.condition_end_datetime,
            CAST(condition.condition_end_date AS timestamp) + INTERVAL 1 DAY) AS end_at
    FROM condition
    LEFT JOIN stay ON stay.visit_occurrence_id = condition.visit_occurrence_id
),
known AS (
    SELECT condition_occurrence_id, person_id, visit_occurrence_id, condition_concept_id, condition_source_value,
        condition_source_concept_id, condition_status_source_value, condition_status_concept_id, condition_start_date,
        condition_end_date, end_at,
        -- Codes are written at discharge, not when the disease began.
        CASE WHEN ended_at > start_available_at THEN ended_at ELSE start_available_at END AS available_at
    FROM begun
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
    -- Primary diagnosis, by the OMOP concepts of a status or by the words of the French and American exchanges.
    CASE WHEN known.condition_status_concept_id IN (32902, 32903, 32901)
        OR upper(known.condition_status_source_value) IN ('DP', '1') THEN 1 ELSE 0 END AS is_primary,
    known.condition_start_date AS started_on,
    known.condition_end_date AS ended_on,
    known.available_at,
    CASE WHEN known.end_at > known.available_at OR known.end_at IS NULL THEN known.end_at
        ELSE known.available_at END AS end_available_at
FROM known
LEFT JOIN named ON named.concept_id = known.condition_concept_id
