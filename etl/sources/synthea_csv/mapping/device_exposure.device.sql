-- Devices → device_exposure. Grain: one row per device.
-- Not here: its identifier (UDI), which holds a serial number and stays in the crosswalk.
WITH
-- 1. Sources
device AS (SELECT PATIENT, ENCOUNTER, START, STOP, CODE, DESCRIPTION FROM bronze.devices)
-- 3. Result
SELECT
    PATIENT AS person_key, ENCOUNTER AS visit_key,
    START AS device_exposure_start_datetime, STOP AS device_exposure_end_datetime,
    CODE AS device_code, 'SNOMED' AS device_vocabulary, DESCRIPTION AS device_label, 1 AS quantity
FROM device
