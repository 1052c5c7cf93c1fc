-- Conditions → condition_occurrence; findings of a life go to observation by their domain.
-- Grain: one row per Condition.
WITH
-- 1. Sources
diagnosis AS (
    SELECT id, subject, encounter, verification_status, code, display, started_at, ended_at FROM bronze.condition
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key,
    started_at AS condition_start_datetime, ended_at AS condition_end_datetime,
    code AS condition_code, 'SNOMED' AS condition_vocabulary, display AS condition_label,
    CASE WHEN verification_status IN ('refuted', 'entered-in-error') THEN 'diagnosis_refuted' END AS _exclude
FROM diagnosis
