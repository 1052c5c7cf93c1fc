-- Deaths → death. Grain: one row per dead patient. The certificate, an encounter days later, has no date of death of its own
-- (visit_occurrence.sql); the living are accounted for by person.sql.
WITH
-- 1. Sources
patient AS (SELECT Id, DEATHDATE FROM bronze.patients)
-- 3. Result
SELECT Id AS person_key, DEATHDATE AS death_date
FROM patient
WHERE DEATHDATE IS NOT NULL
