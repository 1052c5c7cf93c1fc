-- Diastolic pressure of the outpatient record → measurement. Grain: one row per blood pressure, its second number.
WITH
-- 1. Sources
omr AS (SELECT subject_id, chartdate, result_name, seq_num, result_value FROM bronze.omr)
-- 3. Result. Every row is accounted for by measurement.omr.sql.
SELECT
    concat_ws('|', CAST(subject_id AS string), CAST(chartdate AS string), result_name, CAST(seq_num AS string)) AS _key,
    subject_id AS person_key, chartdate AS measurement_date,
    concat(result_name, '|diastolic') AS measurement_code,
    'MIMIC_OMR' AS measurement_vocabulary, result_name AS measurement_source_value,
    try_cast(regexp_extract(result_value, '^[0-9]+/([0-9]+)$', 1) AS double) AS value_as_number,
    'mmHg' AS unit_code, 'MIMIC_UNIT' AS unit_vocabulary,
    result_value AS value_source_value
FROM omr
WHERE result_name LIKE 'Blood Pressure%'
