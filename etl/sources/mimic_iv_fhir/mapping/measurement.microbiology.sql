-- Microbiological tests → measurement. Grain: one row per Observation of a test; those that found an organism are in
-- measurement.organism.sql.
WITH
-- 1. Sources
test AS (
    SELECT id, subject, encounter, status, code, display, measured_at, measured_on, value, has_organism
    FROM bronze.observation_micro_test
)
-- 3. Result
SELECT
    test.id AS _key, test.subject AS person_key, test.encounter AS visit_key,
    test.measured_at AS measurement_datetime, test.measured_on AS measurement_date,
    test.code AS measurement_code, 'mimiciv_micro_microtest' AS measurement_vocabulary,
    test.display AS measurement_label, test.value AS value_source_value,
    CASE WHEN test.has_organism THEN 'into_its_organisms' END AS _merge,
    CASE WHEN test.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM test
