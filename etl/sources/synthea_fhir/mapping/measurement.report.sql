-- Laboratory reports → measurement, as panels without a value: their results point to them (measurement.sql).
-- Grain: one row per DiagnosticReport.
WITH
-- 1. Sources
report AS (SELECT id, subject, encounter, status, code, display, measured_at FROM bronze.diagnostic_report)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, encounter AS visit_key, measured_at AS measurement_datetime,
    code AS measurement_code, 'LOINC' AS measurement_vocabulary, display AS measurement_label,
    CASE WHEN status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM report
