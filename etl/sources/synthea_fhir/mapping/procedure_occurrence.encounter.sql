-- Kinds of encounter (check-up, prenatal visit, certification) → procedure_occurrence, or where the domain sends them.
-- Grain: one row per Encounter.
WITH
-- 1. Sources
encounter AS (
    SELECT id, subject, practitioner, status, code, display, started_at, ended_at FROM bronze.encounter
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, practitioner AS provider_key,
    CASE WHEN code <> '308646001' THEN id END AS visit_key,  -- a certificate is no visit (visit_occurrence.sql)
    started_at AS procedure_datetime, ended_at AS procedure_end_datetime,
    code AS procedure_code, 'SNOMED' AS procedure_vocabulary, display AS procedure_label,
    CASE WHEN status IN ('cancelled', 'entered-in-error', 'planned') THEN 'not_a_visit_that_was' END AS _exclude
FROM encounter
