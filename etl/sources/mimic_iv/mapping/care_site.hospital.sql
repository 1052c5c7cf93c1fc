-- The hospital → care_site, the place of every stay. Grain: one row in all.
WITH
-- 1. Sources
stay AS (SELECT hadm_id FROM bronze.admissions),
-- 2. Steps
first_stay AS (SELECT hadm_id, min(hadm_id) OVER () AS first_hadm_id FROM stay)
-- 3. Result. 21 is the inpatient hospital among the CMS places of service.
SELECT
    'hospital' AS _key, 'hospital' AS location_key,
    'Beth Israel Deaconess Medical Center' AS care_site_name,
    '21' AS place_of_service_code, 'CMS Place of Service' AS place_of_service_vocabulary,
    'hospital' AS care_site_source_value
FROM first_stay
WHERE hadm_id = first_hadm_id
