-- Communes where patients live and sites stand → location. Grain: one row per commune (code_postal).
-- Not here: address lines and commune names of patients, which stay in the crosswalk; the postal code is the finest place.
WITH
-- 1. Sources
commune AS (SELECT code_postal, departement FROM bronze.commune)
-- 2. Result
SELECT
    commune.code_postal AS _key,
    commune.code_postal AS zip,
    commune.departement AS county,
    commune.code_postal AS location_source_value
FROM commune
