-- Vital signs → measurement (type: EHR). Grain: one row per sign that a round (constante_id) has written, up to seven.
-- The pressure is written '13,5/8,0', in centimetres of mercury; height in metres.
WITH
-- 1. Sources
constante AS (SELECT constante_id, ipp, nda, releve_le, poids, taille, pa, temperature, pouls, sao2 FROM bronze.constantes),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
signe AS (
    SELECT constante_id, ipp, nda, releve_le, 'POIDS' AS code, poids AS valeur, 'kg' AS unite FROM constante
    UNION ALL
    SELECT constante_id, ipp, nda, releve_le, 'TAILLE' AS code, taille AS valeur, 'm' AS unite FROM constante
    UNION ALL
    SELECT constante_id, ipp, nda, releve_le, 'PA_SYS' AS code, nullif(regexp_extract(pa, '^([0-9,]+)/', 1), '') AS valeur, 'cmHg' AS unite
    FROM constante
    UNION ALL
    SELECT constante_id, ipp, nda, releve_le, 'PA_DIA' AS code, nullif(regexp_extract(pa, '/([0-9,]+)$', 1), '') AS valeur, 'cmHg' AS unite
    FROM constante
    UNION ALL
    SELECT constante_id, ipp, nda, releve_le, 'TEMPERATURE' AS code, temperature AS valeur, '°C' AS unite FROM constante
    UNION ALL
    SELECT constante_id, ipp, nda, releve_le, 'POULS' AS code, pouls AS valeur, '/min' AS unite FROM constante
    UNION ALL
    SELECT constante_id, ipp, nda, releve_le, 'SAO2' AS code, sao2 AS valeur, '%' AS unite FROM constante
)
-- 3. Result. A sign that was not taken is no row; a round without any is.
SELECT
    concat_ws('|', CAST(signe.constante_id AS string), signe.code) AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, signe.ipp) AS person_key,
    signe.nda AS visit_key,
    signe.code AS measurement_code, 'CHU2_CONSTANTE' AS measurement_vocabulary,
    signe.releve_le AS measurement_datetime,
    try_cast(replace(signe.valeur, ',', '.') AS double) AS value_as_number,
    signe.unite AS unit_code, 'CHU2_UNITE' AS unit_vocabulary,
    signe.valeur AS value_source_value,
    CASE WHEN signe.valeur IS NULL THEN 'sign_not_taken' END AS _exclude
FROM signe
LEFT JOIN fusion ON fusion.ipp_absorbe = signe.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
