-- Patients → person. Grain: one row per patient, under the number that survived.
-- Not here: race and ethnicity, which French law does not let a hospital record.
WITH
-- 1. Sources
patient AS (SELECT ipp, sexe, ne_le, cp FROM bronze.patients),
fusion AS (SELECT ipp_absorbe FROM bronze.fusions)
-- 2. Result
SELECT
    patient.ipp AS _key,
    patient.sexe AS gender_code, 'CHU2_SEXE' AS gender_vocabulary,
    year(patient.ne_le) AS year_of_birth,
    month(patient.ne_le) AS month_of_birth,
    day(patient.ne_le) AS day_of_birth,
    patient.cp AS location_key,
    CASE WHEN fusion.ipp_absorbe IS NOT NULL THEN 'absorbed_by_another_record' END AS _merge
FROM patient
LEFT JOIN fusion ON fusion.ipp_absorbe = patient.ipp
