-- Reactions of an allergy → observation that points to it. Grain: one row per reaction, up to two an allergy.
-- Not a condition: the day is that of the record, not of the reaction.
WITH
-- 1. Sources
allergy AS (
    SELECT PATIENT, ENCOUNTER, START, CODE, REACTION1, DESCRIPTION1, SEVERITY1, REACTION2, DESCRIPTION2, SEVERITY2
    FROM bronze.allergies
),
-- 2. Steps
reaction AS (
    SELECT PATIENT, ENCOUNTER, START, CODE, REACTION1 AS reaction, DESCRIPTION1 AS description, SEVERITY1 AS severity
    FROM allergy
    UNION ALL
    SELECT PATIENT, ENCOUNTER, START, CODE, REACTION2, DESCRIPTION2, SEVERITY2 FROM allergy
),
keyed AS (
    SELECT PATIENT, ENCOUNTER, START, reaction, description, severity,
        concat_ws('|', CAST(PATIENT AS string), CAST(ENCOUNTER AS string), CAST(START AS string), CODE) AS allergy_key
    FROM reaction
)
-- 3. Result. Allergies without a reaction are accounted for by observation.allergy.sql.
SELECT
    concat_ws('|', allergy_key, reaction) AS _key, allergy_key AS _event_key,
    PATIENT AS person_key, ENCOUNTER AS visit_key, START AS observation_date,
    'allergy_reaction' AS observation_code, 'SYNTHEA_FACT' AS observation_vocabulary,
    description AS value_as_string, reaction AS value_source_value,
    reaction AS value_as_code, 'SNOMED' AS value_as_vocabulary, description AS value_as_label,
    severity AS qualifier_code, 'SYNTHEA_SEVERITY' AS qualifier_vocabulary
FROM keyed
WHERE reaction IS NOT NULL
