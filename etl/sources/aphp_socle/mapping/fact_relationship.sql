-- Which order an administration carries out → fact_relationship. Grain: one row per administration that names its order.
-- The others are accounted for by drug_exposure.administration.sql.
WITH
-- 1. Sources
prise AS (SELECT administration_id, patient_id, prescription_id FROM bronze.administration)
-- 3. Result
SELECT
    administration_id AS _key, patient_id AS person_key,
    administration_id AS _event_key_1, prescription_id AS _event_key_2,
    'administration_of_order' AS relationship_code, 'SOCLE_LIEN' AS relationship_vocabulary
FROM prise
WHERE prescription_id IS NOT NULL
