-- Posologies → nothing of their own: dose, rhythm and times are in the row of drug_exposure.prescription.sql.
-- Grain: one row per posology, all accounted for here.
WITH
-- 1. Sources
posologie AS (SELECT posologie_id, prescription_id, date_heure_debut FROM bronze.posologie),
ordre AS (SELECT prescription_id, patient_id FROM bronze.prescription)
-- 3. Result
SELECT
    posologie.posologie_id AS _key, ordre.patient_id AS person_key,
    posologie.date_heure_debut AS drug_exposure_start_datetime,
    CASE WHEN ordre.prescription_id IS NOT NULL THEN 'into_its_prescription' END AS _merge,
    CASE WHEN ordre.prescription_id IS NULL THEN 'no such prescription' END AS _quarantine
FROM posologie
LEFT JOIN ordre ON ordre.prescription_id = posologie.prescription_id
