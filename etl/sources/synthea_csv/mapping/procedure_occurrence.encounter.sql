-- What each encounter was (prenatal visit, admission to intensive care, death certification) → procedure_occurrence, or
-- observation, where the domain of its SNOMED code sends it. Grain: one row per encounter.
WITH
-- 1. Sources
encounter AS (SELECT Id, START, STOP, PATIENT, PROVIDER, CODE, DESCRIPTION FROM bronze.encounters)
-- 3. Result. The reason of an encounter is one of the patient's conditions, and is not repeated here.
SELECT
    Id AS _key, PATIENT AS person_key, Id AS visit_key, PROVIDER AS provider_key,
    START AS procedure_datetime, STOP AS procedure_end_datetime,
    CODE AS procedure_code, 'SNOMED' AS procedure_vocabulary, DESCRIPTION AS procedure_label
FROM encounter
