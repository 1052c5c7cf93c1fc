-- Care plans → observation, or procedure_occurrence where the domain of the plan sends it. Grain: one row per plan.
-- Not here: the end of a plan (neither table has one), its reason.
WITH
-- 1. Sources
plan AS (SELECT Id, START, PATIENT, ENCOUNTER, CODE, DESCRIPTION FROM bronze.careplans)
-- 3. Result
SELECT
    Id AS _key, PATIENT AS person_key, ENCOUNTER AS visit_key, START AS observation_date,
    CODE AS observation_code, 'SNOMED' AS observation_vocabulary, DESCRIPTION AS observation_label,
    DESCRIPTION AS value_as_string
FROM plan
