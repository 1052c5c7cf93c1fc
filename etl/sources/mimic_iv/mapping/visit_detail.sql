-- Moves between care units → visit_detail. Grain: one row per transfer with a place. The intensive-care stay that a
-- move belongs to is its parent (visit_detail.icu.sql).
WITH
-- 1. Sources
transfer AS (SELECT transfer_id, subject_id, hadm_id, eventtype, careunit, intime, outtime FROM bronze.transfers),
icu AS (SELECT stay_id, hadm_id, intime, outtime FROM bronze.icustays),
-- 2. Steps
in_icu AS (
    -- One parent at most, even if two intensive-care stays of a hospital stay should touch.
    SELECT transfer.transfer_id, min(icu.stay_id) AS stay_id
    FROM transfer
    LEFT JOIN icu ON icu.hadm_id = transfer.hadm_id AND transfer.intime >= icu.intime AND transfer.intime < icu.outtime
    GROUP BY transfer.transfer_id
)
-- 3. Result
SELECT
    concat('transfer|', CAST(transfer.transfer_id AS string)) AS _key,
    transfer.subject_id AS person_key, transfer.hadm_id AS visit_key, transfer.careunit AS care_site_key,
    CASE WHEN transfer.eventtype <> 'ED' THEN concat('icu|', CAST(in_icu.stay_id AS string)) END
        AS parent_visit_detail_key,
    transfer.intime AS visit_detail_start_datetime, transfer.outtime AS visit_detail_end_datetime,
    transfer.careunit AS visit_detail_code, 'mimiciv_cs_place_of_service' AS visit_detail_vocabulary,
    transfer.careunit AS visit_detail_code_2, 'mimiciv_vis_admission_location' AS visit_detail_vocabulary_2,
    -- Neither local vocabulary knows every unit: the kind of place is certain.
    CASE WHEN transfer.eventtype = 'ED' THEN 'ER' ELSE 'IP' END AS visit_detail_code_3,
        'Visit' AS visit_detail_vocabulary_3,
    CASE WHEN transfer.eventtype = 'discharge' THEN 'end_of_stay_is_no_place'
         -- The CDM wants a visit, and the extract has no key, reason or result for these emergency visits.
         WHEN transfer.hadm_id IS NULL THEN 'emergency_visit_without_stay' END AS _exclude
FROM transfer
LEFT JOIN in_icu ON in_icu.transfer_id = transfer.transfer_id
