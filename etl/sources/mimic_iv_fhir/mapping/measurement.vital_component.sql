-- Systolic and diastolic pressure → measurement. Grain: one row per component; it points to its panel
-- (measurement.vital.sql).
WITH
-- 1. Sources
part AS (
    SELECT observation, element, subject, encounter, status, code, display, measured_at, measured_on, value, unit
    FROM bronze.observation_vital_component
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
    concat_ws('|', part.observation, CAST(part.element AS string)) AS _key, part.observation AS _event_key,
    part.subject AS person_key, placed.visit AS visit_key, placed.visit_detail AS visit_detail_key,
    part.measured_at AS measurement_datetime, part.measured_on AS measurement_date,
    part.code AS measurement_code, 'LOINC' AS measurement_vocabulary, part.display AS measurement_label,
    part.value AS value_as_number, part.unit AS unit_code, 'UCUM' AS unit_vocabulary,
    CASE WHEN part.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error'
         WHEN part.value IS NULL THEN 'no_value_recorded' END AS _exclude
FROM part
LEFT JOIN placed ON placed.id = part.encounter
