-- What left the patient in intensive care (urine, drains, stool) → measurement. Grain: one row per charted volume.
WITH
-- 1. Sources
output AS (
    SELECT stay_id, charttime, itemid, subject_id, hadm_id, caregiver_id, value, valueuom FROM bronze.outputevents
),
item AS (SELECT itemid, label FROM bronze.d_items)
-- 3. Result
SELECT
    concat_ws('|', CAST(output.stay_id AS string), CAST(unix_timestamp(output.charttime) AS string),
        output.itemid) AS _key,
    output.subject_id AS person_key, output.hadm_id AS visit_key,
    concat('icu|', CAST(output.stay_id AS string)) AS visit_detail_key, output.caregiver_id AS provider_key,
    output.charttime AS measurement_datetime,
    output.itemid AS measurement_code, 'MIMIC_OUTPUT_ITEM' AS measurement_vocabulary, item.label AS measurement_label,
    output.value AS value_as_number,
    output.valueuom AS unit_code, 'MIMIC_UNIT' AS unit_vocabulary
FROM output
LEFT JOIN item ON item.itemid = output.itemid
