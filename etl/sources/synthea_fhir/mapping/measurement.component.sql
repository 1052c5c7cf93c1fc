-- Systolic and diastolic pressure → measurement. Grain: one row per component; it points to its panel
-- (measurement.sql).
WITH
-- 1. Sources
part AS (
    SELECT observation, element, subject, encounter, status, code, display, measured_at, value, unit
    FROM bronze.observation_component
)
-- 3. Result
SELECT
    concat_ws('|', observation, CAST(element AS string)) AS _key, observation AS _event_key,
    subject AS person_key, encounter AS visit_key, measured_at AS measurement_datetime,
    code AS measurement_code, 'LOINC' AS measurement_vocabulary, display AS measurement_label,
    value AS value_as_number, unit AS unit_code, 'UCUM' AS unit_vocabulary,
    CASE WHEN status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM part
