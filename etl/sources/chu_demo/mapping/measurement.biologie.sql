-- Laboratory results → measurement (type: Lab). Grain: one row per result (result_id), its last revision.
WITH
-- 1. Sources
resultat AS (
    SELECT result_id, revision, ipp, numero_sejour, code_analyse, valeur, unite, preleve_le, borne_basse, borne_haute
    FROM bronze.resultat_biologie
),
-- 2. Steps
correction AS (
    -- The laboratory sends a correction as a new row with a higher revision, from 2 on. They are few: a window over
    -- every result would hold all of them in memory.
    SELECT result_id, max(revision) AS derniere
    FROM resultat WHERE revision > 1 GROUP BY result_id
)
-- 3. Result
SELECT
    resultat.result_id AS _key,
    resultat.ipp AS person_key,
    resultat.numero_sejour AS visit_key,
    resultat.code_analyse AS measurement_code, 'CHU_ANALYSE' AS measurement_vocabulary,
    resultat.preleve_le AS measurement_datetime,  -- when drawn, not when validated: features look back from it
    -- The analyser writes '<0,05': the sign is information, the comma is decimal.
    nullif(regexp_extract(resultat.valeur, '^([<>]=?)', 1), '') AS operator_code, 'CHU_SIGNE' AS operator_vocabulary,
    try_cast(trim(replace(regexp_replace(resultat.valeur, '^[<>]=?', ''), ',', '.')) AS double) AS value_as_number,
    resultat.unite AS unit_code, 'CHU_UNITE' AS unit_vocabulary,
    resultat.borne_basse AS range_low,
    resultat.borne_haute AS range_high,
    resultat.valeur AS value_source_value,
    CASE WHEN resultat.revision < correction.derniere THEN 'superseded_by_revision' END AS _merge
FROM resultat
LEFT JOIN correction ON correction.result_id = resultat.result_id
