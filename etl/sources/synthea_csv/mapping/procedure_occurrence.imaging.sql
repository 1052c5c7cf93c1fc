-- Imaging acts → procedure_occurrence. Grain: one row per study, from its first instance; the images are in image_occurrence.
WITH
-- 1. Sources
image AS (SELECT Id, SERIES_UID, INSTANCE_UID, DATE, PATIENT, ENCOUNTER, PROCEDURE_CODE FROM bronze.imaging_studies),
-- 2. Steps
numbered AS (
    SELECT Id, DATE, PATIENT, ENCOUNTER, PROCEDURE_CODE,
        row_number() OVER (PARTITION BY Id ORDER BY SERIES_UID, INSTANCE_UID) AS n
    FROM image
)
-- 3. Result. The other instances are accounted for by image_occurrence.sql.
SELECT
    Id AS _key, PATIENT AS person_key, ENCOUNTER AS visit_key, DATE AS procedure_datetime,
    PROCEDURE_CODE AS procedure_code, 'SNOMED' AS procedure_vocabulary
FROM numbered
WHERE n = 1
