-- Blood samples → specimen. Grain: one row per sample (prelevement_id).
WITH
-- 1. Sources
prelevement AS (SELECT prelevement_id, ipp, preleve_le, nature FROM bronze.prelevements),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    prelevement.prelevement_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, prelevement.ipp) AS person_key,
    prelevement.nature AS specimen_code, 'CHU2_PRELEVEMENT' AS specimen_vocabulary,
    prelevement.preleve_le AS specimen_datetime
FROM prelevement
LEFT JOIN fusion ON fusion.ipp_absorbe = prelevement.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
