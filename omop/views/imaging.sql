-- Imaging series. Grain: one row per row of image_occurrence that is no scanned paper.
WITH
-- 1. Sources.
image AS (
    SELECT image_occurrence_id, person_id, visit_occurrence_id, procedure_occurrence_id, image_study_uid,
        image_series_uid, local_path, wadors_uri, image_occurrence_date, modality_concept_id, anatomic_site_concept_id
    FROM omop.image_occurrence
),
named AS (SELECT concept_id, concept_name FROM steps.named),
paper AS (SELECT concept_id FROM knowledge.paper_modalities)
-- 3. Result.
SELECT
    image.image_occurrence_id,
    image.person_id,
    image.visit_occurrence_id,
    image.procedure_occurrence_id,
    image.image_study_uid AS study_uid,
    image.image_series_uid AS series_uid,
    image.modality_concept_id,
    modality.concept_name AS modality,
    image.anatomic_site_concept_id,
    site.concept_name AS anatomic_site,
    image.local_path,
    image.wadors_uri,
    image.image_occurrence_date AS acquired_on,
    CAST(image.image_occurrence_date AS timestamp) + INTERVAL 1 DAY AS available_at
FROM image
LEFT JOIN paper ON paper.concept_id = image.modality_concept_id
LEFT JOIN named AS modality ON modality.concept_id = image.modality_concept_id
LEFT JOIN named AS site ON site.concept_id = image.anatomic_site_concept_id
WHERE paper.concept_id IS NULL
