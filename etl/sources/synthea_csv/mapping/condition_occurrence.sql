-- Conditions → condition_occurrence; findings of a life (work, stress, education) go to observation by their domain.
-- Grain: one row per condition.
WITH
-- 1. Sources
diagnosis AS (SELECT PATIENT, ENCOUNTER, START, STOP, SYSTEM, CODE, DESCRIPTION FROM bronze.conditions)
-- 3. Result
SELECT
    PATIENT AS person_key, ENCOUNTER AS visit_key,
    START AS condition_start_date, STOP AS condition_end_date,
    CODE AS condition_code,
    -- 'ICD10' is the American clinical modification: its codes have up to seven characters.
    CASE SYSTEM WHEN 'SNOMED-CT' THEN 'SNOMED' WHEN 'ICD10' THEN 'ICD10CM' ELSE SYSTEM END AS condition_vocabulary,
    DESCRIPTION AS condition_label
FROM diagnosis
