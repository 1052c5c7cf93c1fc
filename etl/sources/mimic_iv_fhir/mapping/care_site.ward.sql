-- Care units → care_site. Grain: one row per Location.
SELECT
    id AS _key, name AS care_site_name,
    name AS place_of_service_code, 'mimiciv_cs_place_of_service' AS place_of_service_vocabulary,
    name AS care_site_source_value
FROM bronze.ward
