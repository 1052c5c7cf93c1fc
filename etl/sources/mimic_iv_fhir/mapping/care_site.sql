-- The hospital → care_site. Grain: one row per Organization.
-- Not here: a location, because the export gives no address.
SELECT
    id AS _key, name AS care_site_name,
    -- 21 is the inpatient hospital among the CMS places of service.
    '21' AS place_of_service_code, 'CMS Place of Service' AS place_of_service_vocabulary,
    name AS care_site_source_value
FROM bronze.organization
