-- Facts about a person: allergies, smoking, pregnancy, height, weight, and what else is observed.
-- Grain: one row per row of observation that is no review of an order, and per measurement of height, weight or BMI.
WITH
-- 1. Sources.
observation AS (
    SELECT observation_id, person_id, visit_occurrence_id, observation_concept_id, observation_source_value,
        observation_source_concept_id, observation_date, observation_datetime, value_as_number, value_as_string,
        value_as_concept_id, unit_concept_id, unit_source_value, obs_event_field_concept_id
    FROM omop.observation
),
concept AS (SELECT concept_id, vocabulary_id FROM omop.concept),
stay AS (SELECT visit_occurrence_id, ended_at FROM steps.ended),
named AS (SELECT concept_id, concept_name, concept_code FROM steps.named),
measured AS (
    SELECT measurement_id, person_id, visit_occurrence_id, measurement_concept_id, concept_name, source_code, quantity,
        kind, measured_at, done_at, value, unit, value_text
    FROM steps.measured
),
sign AS (SELECT kind, name_like, code_like, concept_id FROM knowledge.observation_kinds),
-- 2. Steps.
used AS (
    -- Each pair of concept and code once: few, where observations are many.
    SELECT observation_concept_id, observation_source_value FROM observation
    GROUP BY observation_concept_id, observation_source_value
),
described AS (
    SELECT used.observation_concept_id, used.observation_source_value, lower(named.concept_name) AS name,
        upper(replace(used.observation_source_value, '.', '')) AS code
    FROM used
    LEFT JOIN named ON named.concept_id = used.observation_concept_id
),
kinds AS (
    SELECT described.observation_concept_id, described.observation_source_value, min(sign.kind) AS kind
    FROM described
    JOIN sign ON sign.concept_id = described.observation_concept_id
        OR described.name LIKE sign.name_like OR described.code LIKE sign.code_like
    GROUP BY described.observation_concept_id, described.observation_source_value
),
classified AS (
    -- History and circumstances among the diagnoses of a stay: a code of a classification, written at discharge.
    SELECT concept_id FROM concept WHERE vocabulary_id LIKE 'ICD%' OR vocabulary_id = 'CIM10' GROUP BY concept_id
),
seen AS (
    SELECT observation.observation_id, observation.person_id, observation.visit_occurrence_id,
        observation.observation_concept_id, observation.observation_source_value,
        coalesce(observation.observation_datetime, CAST(observation.observation_date AS timestamp)) AS observed_at,
        coalesce(observation.observation_datetime,
            CAST(observation.observation_date AS timestamp) + INTERVAL 1 DAY) AS start_available_at,
        CASE WHEN classified.concept_id IS NOT NULL THEN stay.ended_at END AS coded_at,
        observation.value_as_number, observation.value_as_string, observation.value_as_concept_id,
        observation.unit_concept_id, observation.unit_source_value, observation.obs_event_field_concept_id
    FROM observation
    LEFT JOIN classified ON classified.concept_id = observation.observation_source_concept_id
    LEFT JOIN stay ON stay.visit_occurrence_id = observation.visit_occurrence_id
),
fact AS (
    SELECT observation_id, person_id, visit_occurrence_id, observation_concept_id, observation_source_value, observed_at,
        CASE WHEN coded_at > start_available_at THEN coded_at ELSE start_available_at END AS available_at,
        value_as_number, value_as_string, value_as_concept_id, unit_concept_id, unit_source_value
    FROM seen
    -- The reviews have their own view; 1147094 is the concept of drug_exposure.drug_exposure_id.
    WHERE NOT (coalesce(obs_event_field_concept_id, 0) = 1147094
        AND (coalesce(value_as_string, '') = 'conforme' OR coalesce(value_as_string, '') LIKE 'intervention%'))
)
-- 3. Result.
SELECT
    'observation' AS source_table,
    fact.observation_id AS source_id,
    fact.person_id,
    fact.visit_occurrence_id,
    coalesce(kinds.kind, 'other') AS kind,
    fact.observation_concept_id AS concept_id,
    what.concept_name,
    fact.observation_source_value AS source_code,
    fact.observed_at,
    fact.value_as_number AS value,
    coalesce(unit.concept_code, fact.unit_source_value) AS unit,
    coalesce(fact.value_as_string, answer.concept_name) AS value_text,
    fact.value_as_concept_id AS value_concept_id,
    fact.available_at
FROM fact
LEFT JOIN named AS what ON what.concept_id = fact.observation_concept_id
LEFT JOIN named AS unit ON unit.concept_id = fact.unit_concept_id
LEFT JOIN named AS answer ON answer.concept_id = fact.value_as_concept_id
-- A code may be missing: then it is empty on both sides.
LEFT JOIN kinds ON kinds.observation_concept_id = fact.observation_concept_id
    AND coalesce(kinds.observation_source_value, '') = coalesce(fact.observation_source_value, '')
UNION ALL
SELECT
    'measurement' AS source_table,
    measured.measurement_id AS source_id,
    measured.person_id,
    measured.visit_occurrence_id,
    measured.quantity AS kind,
    measured.measurement_concept_id AS concept_id,
    measured.concept_name,
    measured.source_code,
    measured.measured_at AS observed_at,
    measured.value,
    measured.unit,
    measured.value_text,
    CAST(NULL AS bigint) AS value_concept_id,
    measured.done_at AS available_at
FROM measured
WHERE measured.kind = 'body'
