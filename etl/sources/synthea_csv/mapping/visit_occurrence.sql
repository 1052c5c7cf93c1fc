-- Encounters → visit_occurrence. Grain: one row per encounter. What was done there, and why, is in other tables.
WITH
-- 1. Sources
encounter AS (SELECT Id, START, STOP, PATIENT, ORGANIZATION, PROVIDER, ENCOUNTERCLASS, CODE FROM bronze.encounters),
-- 2. Steps
visit AS (
    SELECT Id, START, STOP, PATIENT, ORGANIZATION, PROVIDER, ENCOUNTERCLASS,
        -- The paper is signed after the death: nobody visits.
        CODE = '308646001' AS is_certificate
    FROM encounter
),
ordered AS (
    SELECT Id, START, STOP, PATIENT, ORGANIZATION, PROVIDER, ENCOUNTERCLASS, is_certificate,
        lag(Id) OVER (PARTITION BY PATIENT ORDER BY START, Id) AS preceding_id
    FROM visit
)
-- 3. Result
SELECT
    Id AS _key, PATIENT AS person_key, PROVIDER AS provider_key, ORGANIZATION AS care_site_key,
    preceding_id AS preceding_visit_key,
    START AS visit_start_datetime, STOP AS visit_end_datetime,
    ENCOUNTERCLASS AS visit_code, 'SYNTHEA_CLASS' AS visit_vocabulary,
    CASE WHEN is_certificate THEN 'death_certificate_is_no_visit' END AS _exclude
FROM ordered
