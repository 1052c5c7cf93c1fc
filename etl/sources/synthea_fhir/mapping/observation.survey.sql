-- Answers and findings in words (smoking, cause of death) → observation, or measurement by their domain.
-- Grain: one row per Observation whose value is a code.
WITH
-- 1. Sources
answer AS (
    SELECT id, subject, encounter, status, code, display, measured_at, value_code, value_display
    FROM bronze.observation
)
-- 3. Result. The others are accounted for by measurement.sql.
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key, measured_at AS observation_datetime,
    code AS observation_code, 'LOINC' AS observation_vocabulary, display AS observation_label,
    value_code AS value_as_code, 'SNOMED' AS value_as_vocabulary, value_display AS value_as_label,
    value_display AS value_as_string, value_code AS value_source_value,
    CASE WHEN status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM answer
WHERE value_code IS NOT NULL
