-- Imaging series → image_occurrence. Grain: one row per series. The identifiers of the archive are hashed at the door.
WITH
-- 1. Sources
image AS (
    SELECT study, element, series, subject, encounter, started_at, modality, body_site, body_site_display
    FROM bronze.imaging_series
)
-- 3. Result
SELECT
    concat_ws('|', CAST(study AS string), CAST(element AS string)) AS _key,
    subject AS person_key, encounter AS visit_key, study AS _event_key,
    started_at AS image_occurrence_datetime,
    CAST(study AS string) AS image_study_uid, CAST(series AS string) AS image_series_uid,
    modality AS modality_code, 'SYNTHEA_MODALITY' AS modality_vocabulary,
    body_site AS anatomic_site_code, 'SNOMED' AS anatomic_site_vocabulary, body_site_display AS anatomic_site_label
FROM image
