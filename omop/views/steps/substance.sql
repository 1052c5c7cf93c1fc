-- The ATC code of the substance of a drug. A drug may have several, by route and use: the smallest is one choice, and
-- never a second row.
WITH
ancestor AS (SELECT ancestor_concept_id, descendant_concept_id FROM omop.concept_ancestor),
atc AS (SELECT concept_id, atc_code FROM steps.atc)
SELECT ancestor.descendant_concept_id AS concept_id, min(atc.atc_code) AS atc_code
FROM ancestor
JOIN atc ON atc.concept_id = ancestor.ancestor_concept_id
WHERE length(atc.atc_code) = 7
GROUP BY ancestor.descendant_concept_id
