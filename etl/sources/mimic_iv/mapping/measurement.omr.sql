-- Weight, height, body mass index and systolic pressure of the outpatient record → measurement.
-- Grain: one row per result; of a blood pressure '120/80' this is the first number
-- (the second: measurement.omr_diastolic.sql).
WITH
-- 1. Sources
omr AS (SELECT subject_id, chartdate, result_name, seq_num, result_value FROM bronze.omr),
-- 2. Steps
parted AS (
    SELECT subject_id, chartdate, result_name, seq_num, result_value, result_name LIKE 'Blood Pressure%' AS is_pressure
    FROM omr
)
-- 3. Result. The record has days only, and no stay.
SELECT
    concat_ws('|', CAST(subject_id AS string), CAST(chartdate AS string), result_name, CAST(seq_num AS string)) AS _key,
    subject_id AS person_key, chartdate AS measurement_date,
    CASE WHEN is_pressure THEN concat(result_name, '|systolic') ELSE result_name END AS measurement_code,
    'MIMIC_OMR' AS measurement_vocabulary, result_name AS measurement_source_value,
    CASE WHEN is_pressure THEN try_cast(regexp_extract(result_value, '^([0-9]+)/[0-9]+$', 1) AS double)
         ELSE try_cast(result_value AS double) END AS value_as_number,
    CASE WHEN is_pressure THEN 'mmHg'
         WHEN result_name LIKE '%(Lbs)' THEN 'Lbs'
         WHEN result_name LIKE '%(Inches)' THEN 'Inches'
         WHEN result_name LIKE '%(kg/m2)' THEN 'kg/m2' END AS unit_code,
    'MIMIC_UNIT' AS unit_vocabulary,
    result_value AS value_source_value
FROM parted
