-- Deaths → death. Grain: one row per dead patient. The cause is an Observation of the certificate.
WITH
-- 1. Sources
patient AS (SELECT id, died_at FROM bronze.patient)
-- 3. Result. The living are accounted for by person.sql.
SELECT id AS person_key, died_at AS death_datetime
FROM patient
WHERE died_at IS NOT NULL
