-- CCAM acts → procedure_occurrence. Grain: one row per act (acte_id).
WITH
-- 1. Sources
acte AS (SELECT acte_id, numero_sejour, ipp, code_ccam, realise_le, executant_id FROM bronze.acte)
-- 2. Result
SELECT
    acte.acte_id AS _key,
    acte.ipp AS person_key,
    acte.numero_sejour AS visit_key,
    acte.executant_id AS provider_key,
    acte.code_ccam AS procedure_code, 'CCAM' AS procedure_vocabulary,
    acte.realise_le AS procedure_datetime
FROM acte
