-- Patients → person. Grain: one row per patient.
-- Not here: marital status and income, which have no date; sums of expenses, which the generator makes.
WITH
-- 1. Sources
patient AS (SELECT Id, BIRTHDATE, GENDER, RACE, ETHNICITY, COUNTY, STATE FROM bronze.patients)
-- 3. Result
SELECT
    Id AS _key,
    CASE WHEN COUNTY IS NOT NULL THEN concat_ws('|', 'county', STATE, COUNTY) END AS location_key,
    GENDER AS gender_code, 'Gender' AS gender_vocabulary,
    year(BIRTHDATE) AS year_of_birth, month(BIRTHDATE) AS month_of_birth, day(BIRTHDATE) AS day_of_birth,
    RACE AS race_code, 'SYNTHEA_RACE' AS race_vocabulary,
    ETHNICITY AS ethnicity_code, 'SYNTHEA_ETHNICITY' AS ethnicity_vocabulary
FROM patient
