-- Medical services in charge of a stay → observation. Grain: one row per change of service. A service (who treats)
-- is not a care unit (where): the same bed may pass from one service to another.
WITH
-- 1. Sources
service AS (SELECT hadm_id, transfertime, subject_id, curr_service FROM bronze.services)
-- 3. Result
SELECT
    concat_ws('|', CAST(hadm_id AS string), CAST(unix_timestamp(transfertime) AS string)) AS _key,
    subject_id AS person_key, hadm_id AS visit_key,
    transfertime AS observation_datetime,
    'service_in_charge' AS observation_code, 'MIMIC_FACT' AS observation_vocabulary,
    curr_service AS value_as_code, 'mimiciv_vis_service' AS value_as_vocabulary,
    curr_service AS value_as_string, curr_service AS value_source_value
FROM service
