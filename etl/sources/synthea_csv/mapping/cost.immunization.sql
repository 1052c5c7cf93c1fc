-- What a vaccine cost → cost. Grain: one row per vaccination. The source does not say who paid.
WITH
-- 1. Sources
vaccination AS (SELECT PATIENT, ENCOUNTER, DATE, CODE, BASE_COST FROM bronze.immunizations),
-- 2. Steps
keyed AS (
    SELECT PATIENT, BASE_COST,
        concat_ws('|', CAST(PATIENT AS string), CAST(ENCOUNTER AS string), CODE, CAST(unix_timestamp(DATE) AS string)) AS vaccination_key
    FROM vaccination
)
-- 3. Result
SELECT
    vaccination_key AS _key, PATIENT AS person_key, vaccination_key AS _event_key,
    'USD' AS currency_code, 'Currency' AS currency_vocabulary, BASE_COST AS total_charge
FROM keyed
