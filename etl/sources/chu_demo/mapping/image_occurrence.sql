-- Scanned certificates and handwritten prescriptions → image_occurrence. Grain: one row per scanned page (numerisation_id).
-- Only where the image is and what kind of image it is; the identifiers of the archive are hashed at the door.
WITH
-- 1. Sources
scan AS (SELECT numerisation_id, ipp, numero_sejour, chemin_image, uid_etude, uid_serie, modalite, numerise_le FROM bronze.document_numerise)
-- 2. Result
SELECT
    scan.numerisation_id AS _key,
    scan.ipp AS person_key,
    scan.numero_sejour AS visit_key,
    scan.chemin_image AS local_path,
    CAST(from_utc_timestamp(scan.numerise_le, 'Europe/Paris') AS date) AS image_occurrence_date,
    CAST(scan.uid_etude AS string) AS image_study_uid,
    CAST(scan.uid_serie AS string) AS image_series_uid,
    scan.modalite AS modality_code, 'CHU_MODALITE' AS modality_vocabulary
FROM scan
