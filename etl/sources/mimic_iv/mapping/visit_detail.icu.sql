-- Intensive-care stays → visit_detail. Grain: one row per stay_id. It may span several moves, which point to it as
-- parent; the events of the intensive-care module point to it as well.
WITH
-- 1. Sources
icu AS (SELECT stay_id, subject_id, hadm_id, first_careunit, intime, outtime FROM bronze.icustays)
-- 3. Result. last_careunit is the unit of the last move inside.
SELECT
    concat('icu|', CAST(stay_id AS string)) AS _key,
    subject_id AS person_key, hadm_id AS visit_key, first_careunit AS care_site_key,
    intime AS visit_detail_start_datetime, outtime AS visit_detail_end_datetime,
    first_careunit AS visit_detail_code, 'mimiciv_cs_place_of_service' AS visit_detail_vocabulary,
    first_careunit AS visit_detail_code_2, 'mimiciv_vis_admission_location' AS visit_detail_vocabulary_2,
    'IP' AS visit_detail_code_3, 'Visit' AS visit_detail_vocabulary_3
FROM icu
