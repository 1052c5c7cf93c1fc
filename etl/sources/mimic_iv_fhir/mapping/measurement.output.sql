-- What left the patient in intensive care (urine, drains, stool) → measurement. Grain: one row per Observation.
WITH
-- 1. Sources
output AS (
    SELECT id, subject, encounter, status, code, display, measured_at, measured_on, value, unit
    FROM bronze.observation_output
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
    output.id AS _key, output.subject AS person_key, placed.visit AS visit_key,
    placed.visit_detail AS visit_detail_key,
    output.measured_at AS measurement_datetime, output.measured_on AS measurement_date,
    output.code AS measurement_code, 'MIMIC_OUTPUT_ITEM' AS measurement_vocabulary,
    output.display AS measurement_label,
    output.value AS value_as_number, output.unit AS unit_code, 'MIMIC_UNIT' AS unit_vocabulary,
    CASE WHEN output.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM output
LEFT JOIN placed ON placed.id = output.encounter
