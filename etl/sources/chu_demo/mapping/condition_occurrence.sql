-- CIM-10 diagnoses of stays → condition_occurrence; history and circumstances (Z, W) go to observation by their domain.
-- Grain: one row per coded diagnosis (diagnostic_id). Coded at discharge: known at the end of the stay, dated from its start.
WITH
-- 1. Sources
diagnostic AS (SELECT diagnostic_id, numero_sejour, ipp, code_cim10, type_diagnostic FROM bronze.diagnostic),
sejour AS (SELECT numero_sejour, entree, sortie, praticien_id FROM bronze.sejour)
-- 2. Result
SELECT
    diagnostic.diagnostic_id AS _key,
    diagnostic.ipp AS person_key,
    diagnostic.numero_sejour AS visit_key,
    sejour.praticien_id AS provider_key,
    diagnostic.code_cim10 AS condition_code, 'CIM10' AS condition_vocabulary,
    sejour.entree AS condition_start_datetime,
    sejour.sortie AS condition_end_datetime,
    diagnostic.type_diagnostic AS condition_status_code, 'CHU_TYPE_DIAG' AS condition_status_vocabulary,
    -- A diagnosis has no date of its own.
    CASE WHEN sejour.numero_sejour IS NULL THEN 'no such stay, so no date' END AS _quarantine
FROM diagnostic
LEFT JOIN sejour ON sejour.numero_sejour = diagnostic.numero_sejour
