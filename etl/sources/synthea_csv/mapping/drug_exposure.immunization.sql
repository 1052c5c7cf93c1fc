-- Vaccinations → drug_exposure (type: EHR administration record). Grain: one row per vaccination.
WITH
-- 1. Sources
vaccination AS (SELECT PATIENT, ENCOUNTER, DATE, CODE, DESCRIPTION FROM bronze.immunizations),
encounter AS (SELECT Id, PROVIDER FROM bronze.encounters)
-- 3. Result
SELECT
    concat_ws('|', CAST(vaccination.PATIENT AS string), CAST(vaccination.ENCOUNTER AS string), vaccination.CODE,
        CAST(unix_timestamp(vaccination.DATE) AS string)) AS _key,
    vaccination.PATIENT AS person_key, vaccination.ENCOUNTER AS visit_key, encounter.PROVIDER AS provider_key,
    vaccination.DATE AS drug_exposure_start_datetime,
    vaccination.CODE AS drug_code, 'CVX' AS drug_vocabulary, vaccination.DESCRIPTION AS drug_label
FROM vaccination
LEFT JOIN encounter ON encounter.Id = vaccination.ENCOUNTER
