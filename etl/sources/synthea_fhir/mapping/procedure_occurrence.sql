-- Procedures → procedure_occurrence, or where the concept's domain sends them. Grain: one row per Procedure.
WITH
-- 1. Sources
act AS (SELECT id, subject, encounter, status, code, display, started_at, ended_at FROM bronze.procedure)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key,
    started_at AS procedure_datetime, ended_at AS procedure_end_datetime,
    code AS procedure_code, 'SNOMED' AS procedure_vocabulary, display AS procedure_label,
    CASE WHEN status IN ('not-done', 'preparation', 'entered-in-error') THEN 'act_not_done' END AS _exclude
FROM act
