-- Procedures. Grain: one row per row of procedure_occurrence.
WITH
-- 1. Sources.
act AS (
    SELECT procedure_occurrence_id, person_id, visit_occurrence_id, provider_id, procedure_concept_id,
        procedure_source_value, procedure_source_concept_id, modifier_source_value, quantity, procedure_date,
        procedure_datetime, procedure_end_datetime
    FROM omop.procedure_occurrence
),
named AS (SELECT concept_id, concept_name FROM steps.named)
-- 3. Result.
SELECT
    act.procedure_occurrence_id,
    act.person_id,
    act.visit_occurrence_id,
    act.provider_id,
    act.procedure_concept_id,
    named.concept_name,
    act.procedure_source_value AS source_code,
    act.procedure_source_concept_id AS source_concept_id,
    act.modifier_source_value AS modifier,
    act.quantity,
    coalesce(act.procedure_datetime, CAST(act.procedure_date AS timestamp)) AS performed_at,
    act.procedure_end_datetime AS ended_at,
    -- Without a time of day the act is sure to be done only when the day is over.
    coalesce(act.procedure_datetime, CAST(act.procedure_date AS timestamp) + INTERVAL 1 DAY) AS available_at
FROM act
LEFT JOIN named ON named.concept_id = act.procedure_concept_id
