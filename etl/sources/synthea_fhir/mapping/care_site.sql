-- Organisations → care_site. Grain: one row per Organization. Its phone number is not read.
SELECT id AS _key, concat('organization|', id) AS location_key, name AS care_site_name
FROM bronze.organization
