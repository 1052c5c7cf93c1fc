-- Kind of insurance of the stay → observation. Grain: one row per stay that tells it.
WITH
-- 1. Sources
stay AS (SELECT hadm_id, subject_id, admittime, insurance FROM bronze.admissions)
-- 3. Result. Every stay is accounted for by visit_occurrence.sql.
SELECT
    hadm_id AS _key, subject_id AS person_key, hadm_id AS visit_key,
    admittime AS observation_datetime,
    'primary_insurance' AS observation_code, 'MIMIC_FACT' AS observation_vocabulary,
    insurance AS value_as_code, 'mimiciv_obs_insurance' AS value_as_vocabulary,
    insurance AS value_as_string, insurance AS value_source_value
FROM stay
WHERE insurance IS NOT NULL
