-- Antibiotic susceptibility → measurement. Grain: one row per Observation; it points to the organism that was tested
-- (measurement.organism.sql).
WITH
-- 1. Sources
antibiotic AS (
    SELECT id, subject, status, organism, code, display, measured_at, measured_on, interpretation, dilution, comparator
    FROM bronze.observation_micro_susceptibility
),
organism AS (SELECT id, test FROM bronze.observation_micro_organism),
test AS (SELECT id, encounter FROM bronze.observation_micro_test)
-- 3. Result
SELECT
    antibiotic.id AS _key, antibiotic.organism AS _event_key,
    antibiotic.subject AS person_key, test.encounter AS visit_key,
    antibiotic.measured_at AS measurement_datetime, antibiotic.measured_on AS measurement_date,
    antibiotic.code AS measurement_code, 'mimiciv_micro_antibiotic' AS measurement_vocabulary,
    antibiotic.display AS measurement_label,
    antibiotic.comparator AS operator_code, 'MIMIC_OPERATOR' AS operator_vocabulary,
    antibiotic.dilution AS value_as_number,  -- minimum inhibitory concentration; the source gives no unit
    antibiotic.interpretation AS value_as_code, 'mimiciv_micro_resistance' AS value_as_vocabulary,
    antibiotic.interpretation AS value_source_value,
    CASE WHEN antibiotic.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error' END AS _exclude
FROM antibiotic
LEFT JOIN organism ON organism.id = antibiotic.organism
LEFT JOIN test ON test.id = organism.test
