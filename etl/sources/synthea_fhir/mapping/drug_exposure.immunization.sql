-- Vaccines given → drug_exposure, as administrations. Grain: one row per Immunization.
WITH
-- 1. Sources
vaccine AS (SELECT id, subject, encounter, status, code, display, given_at FROM bronze.immunization)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key, given_at AS drug_exposure_start_datetime,
    code AS drug_code, 'CVX' AS drug_vocabulary, display AS drug_label,
    CASE WHEN status IN ('not-done', 'entered-in-error') THEN 'not_given' END AS _exclude
FROM vaccine
