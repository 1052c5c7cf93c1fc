-- Deaths of another or unnamed source → death (type: EHR). Grain: one row per dead patient. The others: death.*.sql.
WITH
-- 1. Sources
patient AS (SELECT patient_id, date_deces, source_deces FROM bronze.patient)
-- 3. Result. The living are accounted for by person.sql.
SELECT patient_id AS person_key, date_deces AS death_date
FROM patient
WHERE date_deces IS NOT NULL AND coalesce(lower(trim(source_deces)), '') NOT IN ('insee', 'certificat', 'cepidc')
