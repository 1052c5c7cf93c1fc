-- Deaths that the administration knows → death. Grain: one row per patient with a date of death.
-- The patients without one are accounted for by person.sql; deaths known by the discharge only: death.sortie.sql.
WITH
-- 1. Sources
patient AS (SELECT ipp, date_deces FROM bronze.patient)
-- 2. Result
SELECT
    patient.ipp AS person_key,
    patient.date_deces AS death_date
FROM patient
WHERE patient.date_deces IS NOT NULL
