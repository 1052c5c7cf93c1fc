-- Allergies → observation. Grain: one row per AllergyIntolerance. The code names the allergy, not the substance.
WITH
-- 1. Sources
allergy AS (
    SELECT id, subject, verification_status, kind, category, code, display, recorded_at FROM bronze.allergy
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, recorded_at AS observation_datetime,
    code AS observation_code, 'SNOMED' AS observation_vocabulary, display AS observation_label,
    display AS value_as_string, concat_ws(' ', kind, category) AS qualifier_source_value,
    CASE WHEN verification_status IN ('refuted', 'entered-in-error') THEN 'allergy_refuted' END AS _exclude
FROM allergy
