-- Diagnoses of the stay → condition_occurrence, or where the concept's domain sends them.
-- Grain: one row per diagnosis (hadm_id, seq_num). Not here: history and circumstances (observation.circumstance.sql).
WITH
-- 1. Sources
diagnosis AS (SELECT hadm_id, seq_num, subject_id, icd_code, icd_version FROM bronze.diagnoses_icd),
stay AS (SELECT hadm_id, admittime FROM bronze.admissions),
title AS (SELECT icd_code, icd_version, long_title FROM bronze.d_icd_diagnoses)
-- 3. Result. observation.circumstance.sql takes the codes that this one leaves, by the same letters.
SELECT
    concat_ws('|', CAST(diagnosis.hadm_id AS string), CAST(diagnosis.seq_num AS string)) AS _key,
    diagnosis.subject_id AS person_key, diagnosis.hadm_id AS visit_key,
    -- Coders write these at discharge and date nothing: the condition is known to exist during the stay, so
    -- it starts with it. The views make it available at the end of the stay only.
    stay.admittime AS condition_start_datetime,
    diagnosis.icd_code AS condition_code,
    -- The same digits may be another code of the other version.
    CASE diagnosis.icd_version WHEN 9 THEN 'ICD9CM' WHEN 10 THEN 'ICD10CM' END AS condition_vocabulary,
    title.long_title AS condition_label,
    CASE WHEN diagnosis.seq_num = 1 THEN 'first' ELSE 'further' END AS condition_status_code,
    'MIMIC_DIAGNOSIS_RANK' AS condition_status_vocabulary,
    CAST(diagnosis.seq_num AS string) AS condition_status_source_value
FROM diagnosis
LEFT JOIN stay ON stay.hadm_id = diagnosis.hadm_id
LEFT JOIN title ON title.icd_code = diagnosis.icd_code AND title.icd_version = diagnosis.icd_version
WHERE NOT coalesce(
    diagnosis.icd_version = 9 AND substring(trim(diagnosis.icd_code), 1, 1) IN ('E', 'V')
    OR diagnosis.icd_version = 10 AND substring(trim(diagnosis.icd_code), 1, 1) IN ('V', 'W', 'X', 'Y', 'Z'), FALSE)
