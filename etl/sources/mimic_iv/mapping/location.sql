-- The hospital → location. Grain: one row in all; the extract names no place but the hospital itself.
WITH
-- 1. Sources
stay AS (SELECT hadm_id FROM bronze.admissions),
-- 2. Steps
first_stay AS (
    -- Some row has to stand for the hospital; the key below is a constant, so which one does not matter.
    SELECT hadm_id, min(hadm_id) OVER () AS first_hadm_id FROM stay
)
-- 3. Result. The other stays are accounted for by visit_occurrence.sql.
SELECT
    'hospital' AS _key,
    'Boston' AS city, 'MA' AS state, 'US' AS country_source_value,
    'hospital' AS location_source_value
FROM first_stay
WHERE hadm_id = first_hadm_id
