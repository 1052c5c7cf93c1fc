-- Billed acts of the stay → procedure_occurrence. Grain: one row per act (hadm_id, seq_num).
WITH
-- 1. Sources
act AS (SELECT hadm_id, seq_num, subject_id, chartdate, hcpcs_cd, short_description FROM bronze.hcpcsevents)
-- 3. Result
SELECT
    concat_ws('|', CAST(hadm_id AS string), CAST(seq_num AS string)) AS _key,
    subject_id AS person_key, hadm_id AS visit_key,
    chartdate AS procedure_date,
    hcpcs_cd AS procedure_code,
    -- Level I of HCPCS is CPT, five digits; level II begins with a letter.
    CASE WHEN hcpcs_cd RLIKE '^[0-9]' THEN 'CPT4' ELSE 'HCPCS' END AS procedure_vocabulary,
    short_description AS procedure_label
FROM act
