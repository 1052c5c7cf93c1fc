-- Allergies, smoking, pregnancies of the history form → observation. Grain: one row per entry (antecedent_id).
WITH
-- 1. Sources
antecedent AS (SELECT antecedent_id, ipp, rubrique, code, libelle, precision, saisi_le FROM bronze.antecedents),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    antecedent.antecedent_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, antecedent.ipp) AS person_key,
    antecedent.code AS observation_code, 'CHU2_OBSERVATION' AS observation_vocabulary, antecedent.libelle AS observation_label,
    antecedent.saisi_le AS observation_datetime,
    try_cast(replace(antecedent.precision, ',', '.') AS double) AS value_as_number,
    -- The form asks for pack-years beside the kind of smoker.
    CASE WHEN antecedent.precision IS NOT NULL AND antecedent.rubrique = 'TABAC' THEN 'PA' END AS unit_code,
    'CHU2_UNITE' AS unit_vocabulary,
    antecedent.precision AS value_source_value
FROM antecedent
LEFT JOIN fusion ON fusion.ipp_absorbe = antecedent.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
