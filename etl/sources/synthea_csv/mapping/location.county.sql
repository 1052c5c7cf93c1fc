-- Counties where patients live → location. Grain: one row per county, from the first patient who lives there.
-- Not here: street, city, postal code and coordinates of patients, which stay in the crosswalk; the county is the finest place.
WITH
-- 1. Sources
patient AS (SELECT Id, COUNTY, STATE FROM bronze.patients),
-- 2. Steps
numbered AS (SELECT Id, COUNTY, STATE, min(Id) OVER (PARTITION BY COUNTY, STATE) AS first_id FROM patient)
-- 3. Result. The other patients are accounted for by person.sql.
SELECT
    concat_ws('|', 'county', STATE, COUNTY) AS _key,
    COUNTY AS county, COUNTY AS location_source_value
FROM numbered
WHERE Id = first_id AND COUNTY IS NOT NULL
