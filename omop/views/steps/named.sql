-- What a concept is called, and its code. Concept 0 says nothing, and a concept that a copy holds twice has one name.
WITH concept AS (SELECT concept_id, concept_name, concept_code FROM omop.concept)
SELECT concept_id, min(concept_name) AS concept_name, min(concept_code) AS concept_code
FROM concept
WHERE concept_id <> 0
GROUP BY concept_id
