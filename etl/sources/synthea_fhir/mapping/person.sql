-- Patients → person. Grain: one row per Patient.
-- Not here: marital status and language, which have no date; the place, of which nothing coarser than a town is given.
WITH
-- 1. Sources
patient AS (SELECT id, gender, birth_on, race, ethnicity FROM bronze.patient)
-- 3. Result
SELECT
    id AS _key,
    CASE gender WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END AS gender_code, 'Gender' AS gender_vocabulary,
    year(birth_on) AS year_of_birth, month(birth_on) AS month_of_birth, day(birth_on) AS day_of_birth,
    race AS race_code, 'CDC_RACE' AS race_vocabulary,
    ethnicity AS ethnicity_code, 'CDC_ETHNICITY' AS ethnicity_vocabulary
FROM patient
