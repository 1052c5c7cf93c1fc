-- Drugs taken from the cabinet of the emergency department → drug_exposure, as dispensings. Grain: one row per
-- MedicationDispense. Their status is always unknown.
WITH
-- 1. Sources
dispense AS (
    SELECT id, subject, encounter, status, gsn, name, handed_at, handed_on FROM bronze.medication_dispense_ed
),
encounter AS (SELECT id, part_of FROM bronze.encounter),
-- 2. Steps
placed AS (
    SELECT id, coalesce(part_of, id) AS visit,
        CASE WHEN part_of IS NOT NULL THEN concat('encounter|', CAST(id AS string)) END AS visit_detail
    FROM encounter
)
-- 3. Result
SELECT
    dispense.id AS _key, dispense.subject AS person_key, placed.visit AS visit_key,
    placed.visit_detail AS visit_detail_key,
    dispense.handed_at AS drug_exposure_start_datetime, dispense.handed_on AS drug_exposure_start_date,
    coalesce(dispense.gsn, dispense.name) AS drug_code,
    CASE WHEN dispense.gsn IS NOT NULL THEN 'GSN' ELSE 'MIMIC_DRUG_NAME' END AS drug_vocabulary,
    dispense.name AS drug_code_2, 'MIMIC_DRUG_NAME' AS drug_vocabulary_2, dispense.name AS drug_label,
    CASE WHEN dispense.status IN ('cancelled', 'entered-in-error', 'declined') THEN 'not_dispensed' END AS _exclude
FROM dispense
LEFT JOIN placed ON placed.id = dispense.encounter
