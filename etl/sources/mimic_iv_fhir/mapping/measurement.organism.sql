-- Organisms that cultures found → measurement, as results of the test. Grain: one row per Observation of an organism.
-- Its antibiotics: measurement.susceptibility.sql, which points here.
WITH
-- 1. Sources
organism AS (
    SELECT id, subject, status, test, code, display, measured_at, measured_on, comment
    FROM bronze.observation_micro_organism
),
test AS (SELECT id, encounter, code, display FROM bronze.observation_micro_test)
-- 3. Result
SELECT
    organism.id AS _key, organism.subject AS person_key, test.encounter AS visit_key,
    organism.measured_at AS measurement_datetime, organism.measured_on AS measurement_date,
    test.code AS measurement_code, 'mimiciv_micro_microtest' AS measurement_vocabulary,
    test.display AS measurement_label,
    organism.code AS value_as_code, 'mimiciv_micro_organism' AS value_as_vocabulary,
    organism.display AS value_as_label, organism.display AS value_source_value,
    CASE WHEN test.id IS NULL THEN 'no such test' END AS _quarantine,
    CASE WHEN organism.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM organism
LEFT JOIN test ON test.id = organism.test
