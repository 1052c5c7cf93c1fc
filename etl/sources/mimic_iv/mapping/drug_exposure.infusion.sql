-- What went into the patient in intensive care (infusions, boluses, feeds, blood) → drug_exposure, as administrations.
-- Grain: one row per component of an order (orderid, itemid), at one rate. The same drug may stand in emar too: the two
-- records of one act have no common key, so both are kept (see README, known losses).
WITH
-- 1. Sources
input AS (
    SELECT orderid, itemid, subject_id, hadm_id, stay_id, caregiver_id, starttime, endtime, amount, amountuom, rate,
        rateuom,
        ordercategorydescription
    FROM bronze.inputevents
),
item AS (SELECT itemid, label FROM bronze.d_items)
-- 3. Result
SELECT
    concat_ws('|', CAST(input.orderid AS string), input.itemid) AS _key,
    input.subject_id AS person_key, input.hadm_id AS visit_key,
    concat('icu|', CAST(input.stay_id AS string)) AS visit_detail_key, input.caregiver_id AS provider_key,
    input.starttime AS drug_exposure_start_datetime, input.endtime AS drug_exposure_end_datetime,
    input.itemid AS drug_code, 'MIMIC_INPUT_ITEM' AS drug_vocabulary, item.label AS drug_label,
    input.amount AS quantity, input.amountuom AS dose_unit_source_value,
    CASE WHEN input.rate IS NOT NULL THEN concat_ws(' ', input.rate, input.rateuom) END AS sig,
    -- The module has no route; the kind of order tells the vein from the rest.
    CASE WHEN input.ordercategorydescription IN ('Continuous Med', 'Continuous IV') THEN 'IV DRIP' END AS route_code,
    'mimiciv_drug_route' AS route_vocabulary,
    input.ordercategorydescription AS route_source_value,
    CASE WHEN input.amount <= 0 THEN 'no_amount_given' END AS _exclude
FROM input
LEFT JOIN item ON item.itemid = input.itemid
