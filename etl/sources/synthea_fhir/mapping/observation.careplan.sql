-- Care plans → observation, or procedure_occurrence where the domain of the plan sends it. Grain: one row per CarePlan.
-- Not here: its end, its activities, the conditions that it addresses.
WITH
-- 1. Sources
plan AS (SELECT id, subject, encounter, status, code, display, started_at FROM bronze.care_plan)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key, started_at AS observation_datetime,
    code AS observation_code, 'SNOMED' AS observation_vocabulary, display AS observation_label,
    display AS value_as_string,
    CASE WHEN status IN ('draft', 'entered-in-error') THEN 'plan_not_begun' END AS _exclude
FROM plan
