-- Prescribed drugs → drug_exposure (type: EHR prescription). Grain: one row per prescription.
-- Not here: its reason, one of the patient's conditions; its price (cost.medication.sql). The export has no dose.
WITH
-- 1. Sources
medication AS (
    SELECT PATIENT, ENCOUNTER, START, STOP, CODE, DESCRIPTION, DISPENSES FROM bronze.medications
),
encounter AS (SELECT Id, PROVIDER FROM bronze.encounters)
-- 3. Result
SELECT
    concat_ws('|', CAST(medication.PATIENT AS string), CAST(medication.ENCOUNTER AS string), medication.CODE,
        CAST(unix_timestamp(medication.START) AS string), coalesce(CAST(unix_timestamp(medication.STOP) AS string), '')) AS _key,
    medication.PATIENT AS person_key, medication.ENCOUNTER AS visit_key, encounter.PROVIDER AS provider_key,
    medication.START AS drug_exposure_start_datetime, medication.STOP AS drug_exposure_end_datetime,
    -- A stop before the start (2 rows) is dropped by the engine; the day that was written stays here.
    CAST(from_utc_timestamp(medication.STOP, 'America/New_York') AS date) AS verbatim_end_date,
    medication.CODE AS drug_code, 'RxNorm' AS drug_vocabulary, medication.DESCRIPTION AS drug_label,
    greatest(medication.DISPENSES - 1, 0) AS refills  -- after the first dispensing
FROM medication
LEFT JOIN encounter ON encounter.Id = medication.ENCOUNTER
