-- History, status and external causes among the diagnoses → observation, or where the concept's domain sends them.
-- Grain: one row per such diagnosis (hadm_id, seq_num). A code that the vocabulary does not know stays here, so that
-- 'history of' or 'fall from a ladder' never becomes a disease by default.
WITH
-- 1. Sources
diagnosis AS (SELECT hadm_id, seq_num, subject_id, icd_code, icd_version FROM bronze.diagnoses_icd),
stay AS (SELECT hadm_id, admittime FROM bronze.admissions),
title AS (SELECT icd_code, icd_version, long_title FROM bronze.d_icd_diagnoses)
-- 3. Result. The other codes are accounted for by condition_occurrence.sql.
SELECT
    concat_ws('|', CAST(diagnosis.hadm_id AS string), CAST(diagnosis.seq_num AS string)) AS _key,
    diagnosis.subject_id AS person_key, diagnosis.hadm_id AS visit_key,
    stay.admittime AS observation_datetime,  -- dated by its stay, as in condition_occurrence.sql
    diagnosis.icd_code AS observation_code,
    CASE diagnosis.icd_version WHEN 9 THEN 'ICD9CM' WHEN 10 THEN 'ICD10CM' END AS observation_vocabulary,
    title.long_title AS observation_label
FROM diagnosis
LEFT JOIN stay ON stay.hadm_id = diagnosis.hadm_id
LEFT JOIN title ON title.icd_code = diagnosis.icd_code AND title.icd_version = diagnosis.icd_version
WHERE diagnosis.icd_version = 9 AND substring(trim(diagnosis.icd_code), 1, 1) IN ('E', 'V')
    OR diagnosis.icd_version = 10 AND substring(trim(diagnosis.icd_code), 1, 1) IN ('V', 'W', 'X', 'Y', 'Z')
