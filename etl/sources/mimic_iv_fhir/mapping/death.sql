-- Deaths → death. Grain: one row per dead patient. The export has the day only, in hospital or after it.
WITH
-- 1. Sources
patient AS (SELECT id, died_on FROM bronze.patient)
-- 3. Result. The living are accounted for by person.sql. No cause of death is in the export.
SELECT id AS person_key, died_on AS death_date
FROM patient
WHERE died_on IS NOT NULL
