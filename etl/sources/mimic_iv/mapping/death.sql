-- Deaths → death. Grain: one row per dead patient. Two sources agree in this extract and are reconciled here:
-- patients.dod (in hospital or after, from registers up to a year later) and admissions.deathtime (in hospital only).
WITH
-- 1. Sources
patient AS (SELECT subject_id, dod FROM bronze.patients),
stay AS (SELECT subject_id, deathtime FROM bronze.admissions),
-- 2. Steps
in_hospital AS (
    SELECT subject_id, max(deathtime) AS deathtime FROM stay WHERE deathtime IS NOT NULL GROUP BY subject_id
)
-- 3. Result. The living are accounted for by person.sql. No cause of death is in the extract.
SELECT
    patient.subject_id AS person_key,
    coalesce(patient.dod, CAST(in_hospital.deathtime AS date)) AS death_date,
    CASE WHEN patient.dod IS NULL OR CAST(in_hospital.deathtime AS date) = patient.dod
         THEN in_hospital.deathtime END AS death_datetime
FROM patient
LEFT JOIN in_hospital ON in_hospital.subject_id = patient.subject_id
WHERE patient.dod IS NOT NULL OR in_hospital.deathtime IS NOT NULL
