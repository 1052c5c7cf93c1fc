-- Professionals → provider. Grain: one row per professional (rpps).
-- Not here: their names, which only the crosswalk holds, and their national number, which is hashed at the door.
WITH
-- 1. Sources
professionnel AS (SELECT rpps, discipline, um FROM bronze.professionnels)
-- 2. Result
SELECT
    professionnel.rpps AS _key,
    professionnel.discipline AS specialty_code, 'CHU2_DISCIPLINE' AS specialty_vocabulary,
    professionnel.um AS care_site_key
FROM professionnel
