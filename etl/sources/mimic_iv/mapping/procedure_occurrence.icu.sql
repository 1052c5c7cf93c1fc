-- Procedures of intensive care (lines, imaging, ventilation, dialysis) → procedure_occurrence. Grain: one row per
-- order.
WITH
-- 1. Sources
act AS (
    SELECT orderid, subject_id, hadm_id, stay_id, caregiver_id, starttime, endtime, itemid, location
    FROM bronze.procedureevents
),
item AS (SELECT itemid, label FROM bronze.d_items)
-- 3. Result. Its duration (value, in minutes, hours or days) is the time between start and end.
SELECT
    act.orderid AS _key,
    act.subject_id AS person_key, act.hadm_id AS visit_key,
    concat('icu|', CAST(act.stay_id AS string)) AS visit_detail_key, act.caregiver_id AS provider_key,
    act.starttime AS procedure_datetime, act.endtime AS procedure_end_datetime,
    act.itemid AS procedure_code, 'mimiciv_proc_itemid' AS procedure_vocabulary, item.label AS procedure_label,
    act.location AS modifier_source_value  -- where on the body
FROM act
LEFT JOIN item ON item.itemid = act.itemid
