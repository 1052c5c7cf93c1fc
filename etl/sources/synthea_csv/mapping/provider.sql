-- Professionals → provider. Grain: one row per professional. Their names stay in the crosswalk.
WITH
-- 1. Sources
professional AS (SELECT Id, ORGANIZATION, GENDER, SPECIALITY FROM bronze.providers)
-- 3. Result
SELECT
    Id AS _key, ORGANIZATION AS care_site_key,
    GENDER AS gender_code, 'Gender' AS gender_vocabulary,
    SPECIALITY AS specialty_code, 'SYNTHEA_SPECIALITY' AS specialty_vocabulary
FROM professional
