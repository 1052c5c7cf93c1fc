-- Observations of a full export (absent from the export at hand) → measurement; surveys go to observation by their domain.
-- Grain: one row per observation.
WITH
-- 1. Sources
result AS (SELECT PATIENT, ENCOUNTER, DATE, CODE, DESCRIPTION, VALUE, UNITS, TYPE FROM bronze.observations)
-- 3. Result. Quality-of-life years (QALY, DALY, QOLS) are sums of the generator, not facts of a patient.
SELECT
    PATIENT AS person_key, ENCOUNTER AS visit_key, DATE AS measurement_datetime,
    CODE AS measurement_code, 'LOINC' AS measurement_vocabulary, DESCRIPTION AS measurement_label,
    CASE WHEN TYPE = 'numeric' THEN try_cast(VALUE AS double) END AS value_as_number,
    UNITS AS unit_code, 'UCUM' AS unit_vocabulary, VALUE AS value_source_value,
    CASE WHEN CODE IN ('QALY', 'DALY', 'QOLS') THEN 'computed_by_the_generator' END AS _exclude
FROM result
