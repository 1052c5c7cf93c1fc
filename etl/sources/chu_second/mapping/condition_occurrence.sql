-- CIM-10 diagnoses of stays → condition_occurrence; history and circumstances (Z, W) go to observation by their domain.
-- Grain: one row per coded diagnosis (nda, rang). Coded at discharge: known at the end of the stay, dated from its start.
WITH
-- 1. Sources
diagnostic AS (SELECT nda, rang, code, type_diag FROM bronze.diagnostics),
sejour AS (SELECT nda, ipp, entree, sortie, rpps_responsable, supprime FROM bronze.sejours),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    concat_ws('|', CAST(diagnostic.nda AS string), CAST(diagnostic.rang AS string)) AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, sejour.ipp) AS person_key,
    diagnostic.nda AS visit_key,
    sejour.rpps_responsable AS provider_key,
    diagnostic.code AS condition_code, 'CIM10' AS condition_vocabulary,
    sejour.entree AS condition_start_datetime,
    sejour.sortie AS condition_end_datetime,
    diagnostic.type_diag AS condition_status_code, 'CHU2_TYPE_DIAG' AS condition_status_vocabulary,
    CASE WHEN sejour.supprime IS NOT NULL THEN 'deleted_stay' END AS _exclude,
    -- Neither the patient nor a day is written beside a diagnosis.
    CASE WHEN sejour.nda IS NULL THEN 'no such stay, so neither person nor date' END AS _quarantine
FROM diagnostic
LEFT JOIN sejour ON sejour.nda = diagnostic.nda
LEFT JOIN fusion ON fusion.ipp_absorbe = sejour.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
