-- Postal codes where patients live and sites stand → location. Grain: one row per postal code.
-- Not here: address lines and towns, which stay in the crosswalk. The rows are accounted for by person.sql and care_site.sql.
WITH
-- 1. Sources
patient AS (SELECT cp FROM bronze.patients),
structure AS (SELECT cp FROM bronze.structure),
-- 2. Steps
lieu AS (SELECT patient.cp FROM patient UNION ALL SELECT structure.cp FROM structure)
-- 3. Result
SELECT
    lieu.cp AS _key,
    lieu.cp AS zip,
    lieu.cp AS location_source_value
FROM lieu
WHERE lieu.cp IS NOT NULL
GROUP BY lieu.cp
