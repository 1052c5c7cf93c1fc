-- Patient's language, as told at admission ('?' is not a language) → observation. Grain: one row per stay that
-- tells it.
WITH
-- 1. Sources
stay AS (SELECT hadm_id, subject_id, admittime, language FROM bronze.admissions)
-- 3. Result. Every stay is accounted for by visit_occurrence.sql.
SELECT
    hadm_id AS _key, subject_id AS person_key, hadm_id AS visit_key,
    admittime AS observation_datetime,
    'preferred_language' AS observation_code, 'MIMIC_FACT' AS observation_vocabulary,
    language AS value_as_code, 'mimiciv_obs_language' AS value_as_vocabulary,
    language AS value_as_string, language AS value_source_value
FROM stay
WHERE language IS NOT NULL AND language <> '?'
