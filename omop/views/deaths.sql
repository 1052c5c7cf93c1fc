-- Deaths. Grain: one row per row of death; sources that tell of one death each have their row.
WITH
-- 1. Sources.
death AS (
    SELECT person_id, death_date, death_datetime, death_type_concept_id, cause_concept_id, cause_source_value,
        cause_source_concept_id
    FROM omop.death
),
named AS (SELECT concept_id, concept_name FROM steps.named)
-- 3. Result.
SELECT
    death.person_id,
    death.death_date AS died_on,
    death.death_datetime AS died_at,
    death.death_type_concept_id,
    origin.concept_name AS told_by,
    death.cause_concept_id,
    cause.concept_name AS cause,
    death.cause_source_value AS cause_source_code,
    death.cause_source_concept_id,
    -- The CDM does not say when a register told the hospital: the end of the day is the soonest that it may be known.
    coalesce(death.death_datetime, CAST(death.death_date AS timestamp) + INTERVAL 1 DAY) AS available_at
FROM death
LEFT JOIN named AS origin ON origin.concept_id = death.death_type_concept_id
LEFT JOIN named AS cause ON cause.concept_id = death.cause_concept_id
