-- Imaging series → image_occurrence. Grain: one row per series, from its first instance. The identifiers of the archive are
-- hashed at the door.
WITH
-- 1. Sources
image AS (
    SELECT Id, SERIES_UID, INSTANCE_UID, DATE, PATIENT, ENCOUNTER, BODYSITE_CODE, BODYSITE_DESCRIPTION, MODALITY_CODE
    FROM bronze.imaging_studies
),
-- 2. Steps
numbered AS (
    SELECT Id, SERIES_UID, DATE, PATIENT, ENCOUNTER, BODYSITE_CODE, BODYSITE_DESCRIPTION, MODALITY_CODE,
        row_number() OVER (PARTITION BY Id, SERIES_UID ORDER BY INSTANCE_UID) AS n
    FROM image
)
-- 3. Result
SELECT
    concat_ws('|', CAST(Id AS string), CAST(SERIES_UID AS string), CAST(n AS string)) AS _key,
    PATIENT AS person_key, ENCOUNTER AS visit_key, Id AS _event_key,
    DATE AS image_occurrence_datetime,
    CAST(Id AS string) AS image_study_uid, CAST(SERIES_UID AS string) AS image_series_uid,
    MODALITY_CODE AS modality_code, 'SYNTHEA_MODALITY' AS modality_vocabulary,
    BODYSITE_CODE AS anatomic_site_code, 'SNOMED' AS anatomic_site_vocabulary, BODYSITE_DESCRIPTION AS anatomic_site_label,
    CASE WHEN n > 1 THEN 'instance_of_its_series' END AS _merge
FROM numbered
