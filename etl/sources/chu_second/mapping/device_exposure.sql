-- Register of implanted devices → device_exposure. Grain: one row per device (dispositif_id).
WITH
-- 1. Sources
dispositif AS (SELECT dispositif_id, nda, famille, libelle, pose_le, lot FROM bronze.dispositifs),
sejour AS (SELECT nda, ipp, supprime FROM bronze.sejours),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    dispositif.dispositif_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, sejour.ipp) AS person_key,
    dispositif.nda AS visit_key,
    dispositif.famille AS device_code, 'CHU2_DISPOSITIF' AS device_vocabulary, dispositif.libelle AS device_label,
    dispositif.pose_le AS device_exposure_start_datetime,
    dispositif.lot AS production_id,
    CASE WHEN sejour.supprime IS NOT NULL THEN 'deleted_stay' END AS _exclude
FROM dispositif
LEFT JOIN sejour ON sejour.nda = dispositif.nda
LEFT JOIN fusion ON fusion.ipp_absorbe = sejour.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
