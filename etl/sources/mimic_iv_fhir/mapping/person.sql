-- Patients → person. Grain: one row per Patient.
WITH
-- 1. Sources
patient AS (SELECT id, gender, birth_on, race, ethnicity FROM bronze.patient)
-- 3. Result
SELECT
    id AS _key,
    CASE gender WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END AS gender_code, 'Gender' AS gender_vocabulary,
    -- The year is that of the source (ages above 89 are one); day and month were invented by its conversion.
    year(birth_on) AS year_of_birth,
    -- An unknown race (UNK, ASKU) is concept 0, not a concept of its own.
    CASE WHEN race NOT IN ('UNK', 'ASKU') THEN race END AS race_code, 'CDC_RACE' AS race_vocabulary,
    race AS race_source_value,
    ethnicity AS ethnicity_code, 'CDC_ETHNICITY' AS ethnicity_vocabulary
FROM patient
