-- Supplies handed out → device_exposure, with their quantity. Grain: one row per delivery.
WITH
-- 1. Sources
supply AS (SELECT PATIENT, ENCOUNTER, DATE, CODE, DESCRIPTION, QUANTITY FROM bronze.supplies)
-- 3. Result
SELECT
    PATIENT AS person_key, ENCOUNTER AS visit_key, DATE AS device_exposure_start_date,
    CODE AS device_code, 'SNOMED' AS device_vocabulary, DESCRIPTION AS device_label, QUANTITY AS quantity
FROM supply
