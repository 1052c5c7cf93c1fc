-- Procedures (absent from the export at hand) → procedure_occurrence, or where the domain sends them. Grain: one row per procedure.
WITH
-- 1. Sources
act AS (SELECT PATIENT, ENCOUNTER, START, STOP, CODE, DESCRIPTION FROM bronze.procedures)
-- 3. Result
SELECT
    PATIENT AS person_key, ENCOUNTER AS visit_key,
    START AS procedure_datetime, STOP AS procedure_end_datetime,
    CODE AS procedure_code, 'SNOMED' AS procedure_vocabulary, DESCRIPTION AS procedure_label
FROM act
