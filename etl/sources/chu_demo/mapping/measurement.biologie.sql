-- Laboratory results → measurement (type: Lab). Grain: one row per result (result_id), its last revision.
WITH
-- 1. Sources
resultat AS (
    SELECT result_id, revision, ipp, numero_sejour, code_analyse, valeur, unite, preleve_le, borne_basse, borne_haute
    FROM bronze.resultat_biologie
),
-- 2. Steps
revise AS (
    -- The laboratory sends a correction as a new row with a higher revision.
    SELECT result_id, revision, ipp, numero_sejour, code_analyse, valeur, unite, preleve_le, borne_basse, borne_haute,
        max(revision) OVER (PARTITION BY result_id) AS derniere
    FROM resultat
)
-- 3. Result
SELECT
    revise.result_id AS _key,
    revise.ipp AS person_key,
    revise.numero_sejour AS visit_key,
    revise.code_analyse AS measurement_code, 'CHU_ANALYSE' AS measurement_vocabulary,
    revise.preleve_le AS measurement_datetime,  -- when drawn, not when validated: features look back from it
    -- The analyser writes '<0,05': the sign is information, the comma is decimal.
    nullif(regexp_extract(revise.valeur, '^([<>]=?)', 1), '') AS operator_code, 'CHU_SIGNE' AS operator_vocabulary,
    try_cast(trim(replace(regexp_replace(revise.valeur, '^[<>]=?', ''), ',', '.')) AS double) AS value_as_number,
    revise.unite AS unit_code, 'CHU_UNITE' AS unit_vocabulary,
    revise.borne_basse AS range_low,
    revise.borne_haute AS range_high,
    revise.valeur AS value_source_value,
    CASE WHEN revise.revision < revise.derniere THEN 'superseded_by_revision' END AS _merge
FROM revise
