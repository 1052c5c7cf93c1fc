-- Coded procedures of the stay → procedure_occurrence. Grain: one row per Procedure.
WITH
-- 1. Sources
act AS (
    SELECT id, subject, encounter, status, system, code, display, performed_at, performed_on FROM bronze.procedure
)
-- 3. Result
SELECT
    act.id AS _key, act.subject AS person_key, act.encounter AS visit_key,
    act.performed_on AS procedure_date,  -- the source has the day only, written as midnight
    act.code AS procedure_code,
    CASE act.system
        WHEN 'http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-procedure-icd9' THEN 'ICD9Proc'
        WHEN 'http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-procedure-icd10' THEN 'ICD10PCS'
        ELSE act.system
    END AS procedure_vocabulary,
    act.display AS procedure_label,
    CASE WHEN act.status IN ('not-done', 'preparation', 'entered-in-error') THEN 'act_not_done' END AS _exclude
FROM act
