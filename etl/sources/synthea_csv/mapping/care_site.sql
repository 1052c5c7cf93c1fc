-- Organisations → care_site. Grain: one row per organisation.
-- Not here: phone, revenue and use, which the generator sums up.
WITH
-- 1. Sources
organization AS (SELECT Id, NAME FROM bronze.organizations)
-- 3. Result
SELECT Id AS _key, concat('organization|', Id) AS location_key, NAME AS care_site_name
FROM organization
