-- Patients → person. Grain: one row per patient (ipp).
-- Not here: race and ethnicity, which French law does not let a hospital record.
WITH
-- 1. Sources
patient AS (SELECT ipp, sexe, date_naissance, code_postal FROM bronze.patient)
-- 2. Result
SELECT
    patient.ipp AS _key,
    patient.sexe AS gender_code, 'Gender' AS gender_vocabulary,
    year(patient.date_naissance) AS year_of_birth,
    month(patient.date_naissance) AS month_of_birth,
    day(patient.date_naissance) AS day_of_birth,
    patient.code_postal AS location_key
FROM patient
