-- CCAM acts → procedure_occurrence. Grain: one row per act, that of its operator (activity 1).
WITH
-- 1. Sources
acte AS (SELECT acte_id, nda, code_ccam, activite, realise_le, rpps_executant FROM bronze.actes),
sejour AS (SELECT nda, ipp, supprime FROM bronze.sejours),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    acte.acte_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, sejour.ipp) AS person_key,
    acte.nda AS visit_key,
    acte.rpps_executant AS provider_key,
    acte.code_ccam AS procedure_code, 'CCAM' AS procedure_vocabulary,
    acte.realise_le AS procedure_datetime,
    CASE WHEN sejour.supprime IS NOT NULL THEN 'deleted_stay' END AS _exclude,
    -- The anaesthetist's activity (4) is billed beside the operator's; the act took place once.
    CASE WHEN acte.activite = '4' THEN 'anaesthesia_of_the_same_act' END AS _merge
FROM acte
LEFT JOIN sejour ON sejour.nda = acte.nda
LEFT JOIN fusion ON fusion.ipp_absorbe = sejour.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
