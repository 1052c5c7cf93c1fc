-- Allergies, smoking, pregnancies of the history form → observation. Grain: one row per entry (antecedent_id).
WITH
-- 1. Sources
antecedent AS (SELECT antecedent_id, ipp, type_antecedent, code, libelle, valeur, saisi_le FROM bronze.antecedent)
-- 2. Result
SELECT
    antecedent.antecedent_id AS _key,
    antecedent.ipp AS person_key,
    antecedent.code AS observation_code, 'CHU_OBSERVATION' AS observation_vocabulary, antecedent.libelle AS observation_label,
    antecedent.saisi_le AS observation_datetime,
    try_cast(replace(antecedent.valeur, ',', '.') AS double) AS value_as_number,
    -- The form asks for pack-years beside the kind of smoker.
    CASE WHEN antecedent.valeur IS NOT NULL AND antecedent.type_antecedent = 'TABAC' THEN 'PA' END AS unit_code, 'CHU_UNITE' AS unit_vocabulary,
    antecedent.valeur AS value_source_value
FROM antecedent
