-- Scanned certificates and handwritten prescriptions → image_occurrence. Grain: one row per scanned page (numerisation_id).
-- Only where the image is and what kind of image it is; the identifiers of the archive are hashed at the door.
WITH
-- 1. Sources
page AS (SELECT numerisation_id, ipp, nda, fichier, uid_etude, uid_serie, modalite, numerise_le FROM bronze.numerisations),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions)
-- 2. Result
SELECT
    page.numerisation_id AS _key,
    coalesce(encore.ipp_survivant, fusion.ipp_survivant, page.ipp) AS person_key,
    page.nda AS visit_key,
    page.fichier AS local_path,
    CAST(from_utc_timestamp(page.numerise_le, 'Europe/Paris') AS date) AS image_occurrence_date,
    CAST(page.uid_etude AS string) AS image_study_uid,
    CAST(page.uid_serie AS string) AS image_series_uid,
    page.modalite AS modality_code, 'CHU_MODALITE' AS modality_vocabulary
FROM page
LEFT JOIN fusion ON fusion.ipp_absorbe = page.ipp
LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
