-- Observations with a number, and panels of such → measurement. Grain: one row per Observation; a result points to its
-- report (measurement.report.sql). A blood pressure is a panel without a value of its own, to which its two numbers
-- point (measurement.component.sql).
WITH
-- 1. Sources
result AS (
    SELECT id, subject, encounter, status, code, display, measured_at, value, unit, value_code FROM bronze.observation
),
report AS (SELECT report, observation FROM bronze.diagnostic_report_result),
-- 2. Steps
reported AS (SELECT observation, min(report) AS report FROM report GROUP BY observation)
-- 3. Result. Answers and findings in words are accounted for by observation.survey.sql.
SELECT
    result.id AS _key, reported.report AS _event_key, result.subject AS person_key, result.encounter AS visit_key,
    result.measured_at AS measurement_datetime,
    result.code AS measurement_code, 'LOINC' AS measurement_vocabulary, result.display AS measurement_label,
    result.value AS value_as_number, result.unit AS unit_code, 'UCUM' AS unit_vocabulary,
    CASE WHEN result.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM result
LEFT JOIN reported ON reported.observation = result.id
WHERE result.value_code IS NULL
