-- Imaging acts → procedure_occurrence. Grain: one row per study, from its first series; the images are in
-- image_occurrence.sql. The export does not name the act: its kind of image stands for it.
WITH
-- 1. Sources
image AS (SELECT study, element, subject, encounter, started_at, modality FROM bronze.imaging_series)
-- 3. Result. The other series are accounted for by image_occurrence.sql.
SELECT
    study AS _key, subject AS person_key, encounter AS visit_key, started_at AS procedure_datetime,
    modality AS procedure_code, 'SYNTHEA_MODALITY' AS procedure_vocabulary
FROM image
WHERE element = 0
