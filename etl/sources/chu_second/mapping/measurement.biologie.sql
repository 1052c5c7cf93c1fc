-- Laboratory results → measurement (type: Lab). Grain: one row per result (resultat_id); corrections are made in place.
-- Masses stay masses: the unit that was written, its UCUM concept, and the LOINC code of that property.
WITH
-- 1. Sources
resultat AS (
    SELECT resultat_id, prelevement_id, code_examen, valeur_num, valeur_texte, unite, normes, supprime FROM bronze.resultats
),
prelevement AS (SELECT prelevement_id, ipp, nda, preleve_le FROM bronze.prelevements),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
lu AS (
    SELECT resultat_id, prelevement_id, code_examen, unite, supprime,
        coalesce(valeur_num, valeur_texte) AS valeur,
        -- 'inf à 0,05': below what the analyser can see; the number is its limit.
        nullif(regexp_extract(valeur_texte, '^((inf|sup) à)', 1), '') AS signe,
        replace(coalesce(valeur_num, nullif(regexp_extract(valeur_texte, '^(inf|sup) à ([0-9,]+)$', 2), '')), ',', '.') AS nombre,
        -- '[4,0 - 12,0]', '< 5' or '> 60', as printed.
        replace(normes, ',', '.') AS normes
    FROM resultat
)
-- 3. Result
SELECT
    lu.resultat_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, prelevement.ipp) AS person_key,
    prelevement.nda AS visit_key,
    lu.code_examen AS measurement_code, 'CHU2_EXAMEN' AS measurement_vocabulary,
    prelevement.preleve_le AS measurement_datetime,  -- when drawn, not when validated: features look back from it
    lu.signe AS operator_code, 'CHU2_SIGNE' AS operator_vocabulary,
    try_cast(lu.nombre AS double) AS value_as_number,
    lu.unite AS unit_code, 'CHU2_UNITE' AS unit_vocabulary,
    try_cast(nullif(regexp_extract(lu.normes, '^(\\[|> )([0-9.]+)', 2), '') AS double) AS range_low,
    try_cast(nullif(regexp_extract(lu.normes, '(- |^< )([0-9.]+)', 2), '') AS double) AS range_high,
    lu.valeur AS value_source_value,
    CASE WHEN lu.supprime IS NOT NULL THEN 'deleted_in_source' END AS _exclude,
    CASE WHEN prelevement.prelevement_id IS NULL THEN 'no such sample, so neither person nor date' END AS _quarantine
FROM lu
LEFT JOIN prelevement ON prelevement.prelevement_id = lu.prelevement_id
LEFT JOIN fusion ON fusion.ipp_absorbe = prelevement.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
