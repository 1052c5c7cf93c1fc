-- Diagnosis-related groups of a stay → observation. Grain: one row per stay and grouper (HCFA, APR).
WITH
-- 1. Sources
drg AS (
    SELECT hadm_id, drg_type, drg_code, subject_id, description, drg_severity, drg_mortality FROM bronze.drgcodes
),
stay AS (SELECT hadm_id, admittime, dischtime FROM bronze.admissions)
-- 3. Result
SELECT
    concat_ws('|', CAST(drg.hadm_id AS string), drg.drg_type, drg.drg_code) AS _key,
    drg.subject_id AS person_key, drg.hadm_id AS visit_key,
    coalesce(stay.dischtime, stay.admittime) AS observation_datetime,  -- groups are computed from the coded stay
    -- The local vocabulary knows groups by their name, because codes change meaning between versions of a grouper.
    drg.description AS observation_code, 'mimiciv_obs_drgcodes' AS observation_vocabulary,
    concat_ws(' ', drg.drg_type, drg.drg_code) AS observation_label,
    CASE WHEN drg.drg_severity IS NOT NULL
         THEN concat('severity ', CAST(drg.drg_severity AS string), ', risk of death ',
             CAST(drg.drg_mortality AS string))
         END AS value_as_string,
    concat_ws(' ', drg.drg_type, drg.drg_code) AS value_source_value
FROM drg
LEFT JOIN stay ON stay.hadm_id = drg.hadm_id
