-- Dispensing by the pharmacy → nothing of its own: it has no date, and its rhythm is in the order that it fills
-- (drug_exposure.prescription.sql). Grain: one row per MedicationDispense.
WITH
-- 1. Sources
dispense AS (SELECT id, subject, encounter, request, name FROM bronze.medication_dispense),
request AS (SELECT id FROM bronze.medication_request)
-- 3. Result
SELECT
    dispense.id AS _key, dispense.subject AS person_key, dispense.encounter AS visit_key,
    CAST(NULL AS date) AS drug_exposure_start_date,
    CASE WHEN request.id IS NOT NULL THEN 'into_its_order' END AS _merge
FROM dispense
LEFT JOIN request ON request.id = dispense.request
