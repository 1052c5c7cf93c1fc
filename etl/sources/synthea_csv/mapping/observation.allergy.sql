-- Allergies and intolerances → observation: a propensity, whose value is the substance. Grain: one row per allergy.
-- The reactions are in observation.allergy_reaction.sql.
WITH
-- 1. Sources
allergy AS (SELECT PATIENT, ENCOUNTER, START, CODE, DESCRIPTION, TYPE, CATEGORY FROM bronze.allergies)
-- 3. Result
SELECT
    concat_ws('|', CAST(PATIENT AS string), CAST(ENCOUNTER AS string), CAST(START AS string), CODE) AS _key,
    PATIENT AS person_key, ENCOUNTER AS visit_key, START AS observation_date,
    TYPE AS observation_code, 'SYNTHEA_FACT' AS observation_vocabulary,
    DESCRIPTION AS value_as_string, CODE AS value_source_value,
    -- The source names no system ('Unknown'): its drugs are RxNorm codes, all else SNOMED.
    CODE AS value_as_code, CASE WHEN CATEGORY = 'medication' THEN 'RxNorm' ELSE 'SNOMED' END AS value_as_vocabulary,
    DESCRIPTION AS value_as_label,
    CATEGORY AS qualifier_source_value
FROM allergy
