-- Pharmacy's side of drug orders → drug_exposure, where no prescription carries it (parenteral nutrition).
-- Grain: one row per pharmacy order (pharmacy_id).
WITH
-- 1. Sources
pharmacy AS (
    SELECT pharmacy_id, subject_id, hadm_id, starttime, stoptime, medication, proc_type, frequency, status, route,
        doses_per_24_hrs
    FROM bronze.pharmacy
),
prescription AS (SELECT pharmacy_id FROM bronze.prescriptions),
-- 2. Steps
prescribed AS (SELECT pharmacy_id, count(*) AS components FROM prescription GROUP BY pharmacy_id)
-- 3. Result
SELECT
    pharmacy.pharmacy_id AS _key,
    pharmacy.subject_id AS person_key, pharmacy.hadm_id AS visit_key,
    pharmacy.starttime AS drug_exposure_start_datetime,
    pharmacy.stoptime AS drug_exposure_end_datetime, CAST(pharmacy.stoptime AS date) AS verbatim_end_date,
    -- A merged row has no code of its own: its gaps are those of the prescription.
    CASE WHEN prescribed.pharmacy_id IS NULL THEN coalesce(pharmacy.medication, pharmacy.proc_type) END AS drug_code,
    'MIMIC_DRUG_NAME' AS drug_vocabulary,
    concat_ws(' ',
        CASE WHEN pharmacy.doses_per_24_hrs > 0
             THEN concat(CAST(CAST(pharmacy.doses_per_24_hrs AS bigint) AS string), '/24h') END,
        pharmacy.route, pharmacy.frequency) AS sig,
    CASE WHEN prescribed.pharmacy_id IS NULL THEN pharmacy.route END AS route_code,
        'mimiciv_drug_route' AS route_vocabulary,
    pharmacy.status AS stop_reason,
    -- Its frequency and status are in the prescription's sig and stop_reason.
    CASE WHEN prescribed.pharmacy_id IS NOT NULL THEN 'into_its_prescription' END AS _merge
FROM pharmacy
LEFT JOIN prescribed ON prescribed.pharmacy_id = pharmacy.pharmacy_id
