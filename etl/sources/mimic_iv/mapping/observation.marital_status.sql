-- Marital status, as told at admission → observation. Grain: one row per stay that tells it.
WITH
-- 1. Sources
stay AS (SELECT hadm_id, subject_id, admittime, marital_status FROM bronze.admissions)
-- 3. Result. Every stay is accounted for by visit_occurrence.sql.
SELECT
    hadm_id AS _key, subject_id AS person_key, hadm_id AS visit_key,
    admittime AS observation_datetime,
    'marital_status' AS observation_code, 'MIMIC_FACT' AS observation_vocabulary,
    marital_status AS value_as_code, 'mimiciv_obs_marital' AS value_as_vocabulary,
    marital_status AS value_as_string, marital_status AS value_source_value
FROM stay
WHERE marital_status IS NOT NULL
