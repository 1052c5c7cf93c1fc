-- Preferred language → observation. Grain: one row per Patient that tells it.
WITH
-- 1. Sources
patient AS (SELECT id, language FROM bronze.patient),
encounter AS (SELECT subject, started_on FROM bronze.encounter),
-- 2. Steps
first_stay AS (SELECT subject, min(started_on) AS started_on FROM encounter GROUP BY subject),
told AS (
    SELECT patient.id, patient.language, first_stay.started_on,
        CASE WHEN patient.language = 'en' THEN 'ENGLISH' ELSE patient.language END AS word
    FROM patient
    LEFT JOIN first_stay ON first_stay.subject = patient.id
)
-- 3. Result. Every Patient is accounted for by person.sql. The export dates nothing of a Patient: the first stay does.
SELECT
    id AS _key, id AS person_key, started_on AS observation_date,
    'preferred_language' AS observation_code, 'MIMIC_FACT' AS observation_vocabulary,
    word AS value_as_code, 'mimiciv_obs_language' AS value_as_vocabulary,
    word AS value_as_string, language AS value_source_value
FROM told
WHERE word IS NOT NULL
