-- The concepts that are ATC codes.
WITH concept AS (SELECT concept_id, concept_code, vocabulary_id FROM omop.concept)
SELECT concept_id, min(concept_code) AS atc_code
FROM concept
WHERE vocabulary_id = 'ATC'
GROUP BY concept_id
