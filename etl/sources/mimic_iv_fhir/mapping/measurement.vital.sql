-- Vital signs of the emergency department → measurement. Grain: one row per Observation. A blood pressure is a panel
-- without a value of its own, to which its two numbers point (measurement.vital_component.sql).
WITH
-- 1. Sources
vital AS (
    SELECT id, subject, encounter, status, code, display, measured_at, measured_on, value, unit, has_component, absent
    FROM bronze.observation_vital
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
    vital.id AS _key, vital.subject AS person_key, placed.visit AS visit_key, placed.visit_detail AS visit_detail_key,
    vital.measured_at AS measurement_datetime, vital.measured_on AS measurement_date,
    vital.code AS measurement_code, 'LOINC' AS measurement_vocabulary, vital.display AS measurement_label,
    vital.value AS value_as_number, vital.unit AS unit_code, 'UCUM' AS unit_vocabulary,
    CASE WHEN vital.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error'
         WHEN vital.value IS NULL AND (NOT vital.has_component OR vital.absent IS NOT NULL)
         THEN 'no_value_recorded' END AS _exclude
FROM vital
LEFT JOIN placed ON placed.id = vital.encounter
