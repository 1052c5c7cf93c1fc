-- Deaths that the civil registry reports (INSEE) → death (type: registry). Grain: one row per dead patient. The others: death.*.sql.
WITH
-- 1. Sources
patient AS (SELECT patient_id, date_deces, source_deces FROM bronze.patient)
-- 3. Result. The living are accounted for by person.sql.
SELECT patient_id AS person_key, date_deces AS death_date
FROM patient
WHERE date_deces IS NOT NULL AND lower(trim(source_deces)) = 'insee'
