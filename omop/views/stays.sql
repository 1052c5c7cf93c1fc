-- Stays. Grain: one row per row of visit_occurrence.
WITH
-- 1. Sources.
visit AS (
    SELECT visit_occurrence_id, person_id, visit_concept_id, visit_start_date, visit_start_datetime, visit_end_date,
        visit_end_datetime, care_site_id, admitted_from_concept_id, discharged_to_concept_id
    FROM omop.visit_occurrence
),
care_site AS (SELECT care_site_id, care_site_name FROM omop.care_site),
-- 2. Steps.
site AS (
    -- A repeated care site must not multiply stays.
    SELECT care_site_id, min(care_site_name) AS care_site_name FROM care_site GROUP BY care_site_id
),
timed AS (
    SELECT visit_occurrence_id, person_id, visit_concept_id, visit_start_date, visit_end_date, care_site_id,
        admitted_from_concept_id, discharged_to_concept_id,
        coalesce(visit_start_datetime, CAST(visit_start_date AS timestamp)) AS started_at,
        -- Without a time of day the fact is sure to be known only when the day is over.
        coalesce(visit_start_datetime, CAST(visit_start_date AS timestamp) + INTERVAL 1 DAY) AS available_at,
        -- The CDM requires an end date: an end on the first day, without a time although the start has one, stands in for
        -- an end that is not known yet.
        CASE WHEN visit_end_datetime IS NOT NULL THEN visit_end_datetime
            WHEN visit_end_date > visit_start_date OR visit_start_datetime IS NULL
            THEN CAST(visit_end_date AS timestamp) + INTERVAL 1 DAY END AS ended_at
    FROM visit
)
-- 3. Result.
SELECT
    timed.visit_occurrence_id,
    timed.person_id,
    timed.visit_concept_id,
    CASE WHEN timed.visit_concept_id IN (9201, 262, 8717, 32037) THEN 'inpatient'
        WHEN timed.visit_concept_id IN (9203, 8870) THEN 'emergency'
        WHEN timed.visit_concept_id IN (9202, 8756, 581477, 5083) THEN 'outpatient'
        ELSE 'other' END AS kind,
    timed.started_at,
    timed.ended_at,
    timed.visit_start_date AS start_date,
    CASE WHEN timed.ended_at IS NOT NULL THEN timed.visit_end_date END AS end_date,
    timed.care_site_id,
    site.care_site_name,
    timed.admitted_from_concept_id,
    timed.discharged_to_concept_id,
    timed.available_at,
    timed.ended_at AS end_available_at
FROM timed
LEFT JOIN site ON site.care_site_id = timed.care_site_id
