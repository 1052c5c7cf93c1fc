-- Coded procedures of the stay → procedure_occurrence. Grain: one row per procedure (hadm_id, seq_num).
WITH
-- 1. Sources
act AS (SELECT hadm_id, seq_num, subject_id, chartdate, icd_code, icd_version FROM bronze.procedures_icd),
title AS (SELECT icd_code, icd_version, long_title FROM bronze.d_icd_procedures)
-- 3. Result
SELECT
    concat_ws('|', CAST(act.hadm_id AS string), CAST(act.seq_num AS string)) AS _key,
    act.subject_id AS person_key, act.hadm_id AS visit_key,
    act.chartdate AS procedure_date,  -- the source has the day only
    act.icd_code AS procedure_code,
    CASE act.icd_version WHEN 9 THEN 'ICD9Proc' WHEN 10 THEN 'ICD10PCS' END AS procedure_vocabulary,
    title.long_title AS procedure_label
FROM act
LEFT JOIN title ON title.icd_code = act.icd_code AND title.icd_version = act.icd_version
