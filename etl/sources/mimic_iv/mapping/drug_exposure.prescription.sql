-- Drug orders → drug_exposure. Grain: one row per component of an order (pharmacy_id, drug_type, drug): the drug,
-- and for preparations the solution it is in (BASE) and what is added (ADDITIVE).
WITH
-- 1. Sources
prescription AS (
    SELECT pharmacy_id, drug_type, drug, subject_id, hadm_id, order_provider_id, starttime, stoptime, gsn, ndc,
        prod_strength, dose_val_rx, dose_unit_rx, doses_per_24_hrs, route
    FROM bronze.prescriptions
),
pharmacy AS (SELECT pharmacy_id, frequency, status FROM bronze.pharmacy),
-- 2. Steps
coded AS (
    SELECT pharmacy_id, drug_type, drug, subject_id, hadm_id, order_provider_id, starttime, stoptime,
        dose_val_rx, dose_unit_rx, route,
        -- '0' says that the product has no package code.
        CASE WHEN ndc IS NOT NULL AND trim(ndc) NOT IN ('0', '') THEN ndc END AS ndc,
        trim(concat_ws(' ', trim(drug), trim(prod_strength))) AS product,
        -- A few cells list the codes of equivalent products: the first stands for them.
        split(trim(gsn), ' ')[0] AS gsn,
        -- '25,000' is one number; '50-100' is a range and stays text.
        try_cast(CASE WHEN dose_val_rx RLIKE '^[0-9]{1,3}(,[0-9]{3})+$' THEN replace(dose_val_rx, ',', '')
                      ELSE dose_val_rx END AS double) AS dose,
        -- 0 means once, or titrated: no number a day.
        CASE WHEN doses_per_24_hrs > 0
             THEN concat(CAST(CAST(doses_per_24_hrs AS bigint) AS string), '/24h') END AS per_day
    FROM prescription
)
-- 3. Result
SELECT
    concat_ws('|', CAST(coded.pharmacy_id AS string), coded.drug_type, coded.drug) AS _key,
    coded.subject_id AS person_key, coded.hadm_id AS visit_key, coded.order_provider_id AS provider_key,
    coded.starttime AS drug_exposure_start_datetime,
    -- 753 orders stop before they start: the engine keeps the start and drops the end; the source's day stays here.
    coded.stoptime AS drug_exposure_end_datetime, CAST(coded.stoptime AS date) AS verbatim_end_date,
    coalesce(coded.ndc, coded.product) AS drug_code,
    CASE WHEN coded.ndc IS NOT NULL THEN 'NDC' ELSE 'MIMIC_DRUG' END AS drug_vocabulary,
    coded.product AS drug_code_2, 'MIMIC_DRUG' AS drug_vocabulary_2,
    coded.gsn AS drug_code_3, 'GSN' AS drug_vocabulary_3,
    coded.product AS drug_label,
    coded.dose AS quantity, coded.dose_unit_rx AS dose_unit_source_value,
    concat_ws(' ', coded.per_day, coded.dose_val_rx, coded.dose_unit_rx, coded.route, pharmacy.frequency,
        CASE WHEN coded.drug_type <> 'MAIN' THEN concat('[', coded.drug_type, ']') END) AS sig,
    coded.route AS route_code, 'mimiciv_drug_route' AS route_vocabulary,
    pharmacy.status AS stop_reason
FROM coded
LEFT JOIN pharmacy ON pharmacy.pharmacy_id = coded.pharmacy_id
