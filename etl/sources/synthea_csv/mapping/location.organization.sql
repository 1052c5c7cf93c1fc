-- Addresses of organisations → location. Grain: one row per organisation. They are public places, so kept whole.
WITH
-- 1. Sources
organization AS (SELECT Id, ADDRESS, CITY, STATE, ZIP, LAT, LON FROM bronze.organizations)
-- 3. Result
SELECT
    concat('organization|', Id) AS _key,
    ADDRESS AS address_1, CITY AS city, STATE AS state, ZIP AS zip, LAT AS latitude, LON AS longitude
FROM organization
