-- Pharmacists' reviews of drug orders. Grain: one row per observation that points to a drug_exposure and holds a review.
-- An order without a row here was not reviewed: it is not an order without a problem.
WITH
-- 1. Sources.
observation AS (
    SELECT observation_id, person_id, visit_occurrence_id, observation_date, observation_datetime, value_as_string,
        observation_event_id, obs_event_field_concept_id
    FROM omop.observation
),
-- 2. Steps.
review AS (
    SELECT observation_id, observation_event_id, person_id, visit_occurrence_id, value_as_string,
        coalesce(observation_datetime, CAST(observation_date AS timestamp)) AS reviewed_at,
        coalesce(observation_datetime, CAST(observation_date AS timestamp) + INTERVAL 1 DAY) AS available_at
    FROM observation
    -- 1147094: the concept of drug_exposure.drug_exposure_id.
    WHERE obs_event_field_concept_id = 1147094
        AND (value_as_string = 'conforme' OR value_as_string LIKE 'intervention%')
)
-- 3. Result.
SELECT
    observation_id,
    observation_event_id AS drug_exposure_id,
    person_id,
    visit_occurrence_id,
    reviewed_at,
    CASE WHEN value_as_string = 'conforme' THEN 'accepted' ELSE 'intervention' END AS outcome,
    -- 'intervention:4': the class of problem of the French Act-IP code book.
    nullif(regexp_extract(value_as_string, '^intervention:([0-9]{1,2})$', 1), '') AS problem_code,
    available_at
FROM review
