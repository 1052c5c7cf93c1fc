-- The medical service in charge of a stay → observation. Grain: one row per stay that names it.
-- Not here: changes of service during the stay, which the export has lost.
WITH
-- 1. Sources
encounter AS (SELECT id, subject, service, started_at, started_on FROM bronze.encounter)
-- 3. Result. Every Encounter is accounted for by the mappings of visits.
SELECT
    id AS _key, subject AS person_key, id AS visit_key,
    started_at AS observation_datetime, started_on AS observation_date,
    'service_in_charge' AS observation_code, 'MIMIC_FACT' AS observation_vocabulary,
    service AS value_as_code, 'mimiciv_vis_service' AS value_as_vocabulary,
    service AS value_as_string, service AS value_source_value
FROM encounter
WHERE service IS NOT NULL
