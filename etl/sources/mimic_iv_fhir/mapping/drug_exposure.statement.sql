-- Drugs that patients say they take, asked on arrival in the emergency department → drug_exposure, as self-reports.
-- Grain: one row per MedicationStatement. Their status is always unknown.
WITH
-- 1. Sources
told AS (
    SELECT id, subject, encounter, status, ndc, gsn, name, asserted_at, asserted_on FROM bronze.medication_statement
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
    told.id AS _key, told.subject AS person_key, placed.visit AS visit_key, placed.visit_detail AS visit_detail_key,
    told.asserted_at AS drug_exposure_start_datetime, told.asserted_on AS drug_exposure_start_date,
    coalesce(told.ndc, told.gsn, told.name) AS drug_code,
    CASE WHEN told.ndc IS NOT NULL THEN 'NDC' WHEN told.gsn IS NOT NULL THEN 'GSN' ELSE 'MIMIC_DRUG_NAME' END
        AS drug_vocabulary,
    told.gsn AS drug_code_2, 'GSN' AS drug_vocabulary_2,
    told.name AS drug_code_3, 'MIMIC_DRUG_NAME' AS drug_vocabulary_3, told.name AS drug_label,
    CASE WHEN told.status IN ('not-taken', 'entered-in-error', 'intended') THEN 'not_taken' END AS _exclude
FROM told
LEFT JOIN placed ON placed.id = told.encounter
