-- Dates charted in intensive care (line inserted, dressing changed, culture drawn) → procedure_occurrence.
-- Grain: one row per item and date of an intensive-care stay; nurses chart the same date again at every shift.
WITH
-- 1. Sources
charted AS (
    SELECT stay_id, charttime, itemid, subject_id, hadm_id, caregiver_id, value, valueuom
    FROM bronze.datetimeevents
),
item AS (SELECT itemid, label FROM bronze.d_items),
-- 2. Steps
numbered AS (
    SELECT stay_id, charttime, itemid, subject_id, hadm_id, caregiver_id, value, valueuom,
        row_number() OVER (PARTITION BY stay_id, itemid, value ORDER BY charttime) AS time_charted
    FROM charted
)
-- 3. Result
SELECT
    concat_ws('|', CAST(numbered.stay_id AS string), numbered.itemid, CAST(unix_timestamp(numbered.value) AS string),
        CAST(unix_timestamp(numbered.charttime) AS string)) AS _key,
    numbered.subject_id AS person_key, numbered.hadm_id AS visit_key,
    concat('icu|', CAST(numbered.stay_id AS string)) AS visit_detail_key, numbered.caregiver_id AS provider_key,
    CAST(numbered.value AS date) AS procedure_date,
    -- Most values are days, written as midnight.
    CASE WHEN numbered.valueuom <> 'Date' OR hour(numbered.value) <> 0 OR minute(numbered.value) <> 0
         THEN numbered.value END AS procedure_datetime,
    numbered.itemid AS procedure_code, 'mimiciv_proc_datetimeevents' AS procedure_vocabulary,
    item.label AS procedure_label,
    CASE WHEN numbered.time_charted > 1 THEN 'same_date_charted_again' END AS _merge,
    -- Within a day it is a care round charted in advance; beyond, a plan or a slip of the pen.
    CASE WHEN numbered.time_charted = 1 AND unix_timestamp(numbered.value) - unix_timestamp(numbered.charttime) > 86400
         THEN 'dated more than a day after it was charted' END AS _quarantine
FROM numbered
LEFT JOIN item ON item.itemid = numbered.itemid
