-- Weight, height, pressure, temperature… → measurement (type: EHR). Grain: one row per measure (mesure_id).
WITH
-- 1. Sources
mesure AS (SELECT mesure_id, ipp, numero_sejour, code_mesure, valeur, unite, mesure_le, supprime_le FROM bronze.mesure_clinique)
-- 2. Result
SELECT
    mesure.mesure_id AS _key,
    mesure.ipp AS person_key,
    mesure.numero_sejour AS visit_key,
    mesure.code_mesure AS measurement_code, 'CHU_MESURE' AS measurement_vocabulary,
    mesure.mesure_le AS measurement_datetime,
    try_cast(replace(mesure.valeur, ',', '.') AS double) AS value_as_number,
    mesure.unite AS unit_code, 'CHU_UNITE' AS unit_vocabulary,
    mesure.valeur AS value_source_value,
    CASE WHEN mesure.supprime_le IS NOT NULL THEN 'deleted_in_source' END AS _exclude
FROM mesure
