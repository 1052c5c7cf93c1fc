-- Scanned papers. Grain: one row per row of image_occurrence whose modality is that of a paper.
WITH
-- 1. Sources.
image AS (
    SELECT image_occurrence_id, person_id, visit_occurrence_id, image_study_uid, image_series_uid, local_path,
        wadors_uri, image_occurrence_date, modality_concept_id
    FROM omop.image_occurrence
),
paper AS (SELECT concept_id FROM knowledge.paper_modalities)
-- 2. Result.
SELECT
    image.image_occurrence_id,
    image.person_id,
    image.visit_occurrence_id,
    image.image_study_uid AS document_uid,
    image.image_series_uid AS page_uid,
    image.local_path,
    image.wadors_uri,
    image.image_occurrence_date AS scanned_on,
    CAST(image.image_occurrence_date AS timestamp) + INTERVAL 1 DAY AS available_at
FROM image
JOIN paper ON paper.concept_id = image.modality_concept_id
