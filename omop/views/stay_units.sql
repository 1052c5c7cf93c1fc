-- Passages through the units of a stay. Grain: one row per row of visit_detail.
WITH
-- 1. Sources.
detail AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, parent_visit_detail_id, visit_detail_concept_id,
        visit_detail_start_date, visit_detail_start_datetime, visit_detail_end_date, visit_detail_end_datetime,
        care_site_id
    FROM omop.visit_detail
),
care_site AS (SELECT care_site_id, care_site_name FROM omop.care_site),
known AS (SELECT concept_id, kind FROM knowledge.unit_kinds),
intensive AS (SELECT name_like FROM knowledge.critical_care_names),
-- 2. Steps.
site AS (
    -- A repeated care site must not multiply passages.
    SELECT care_site_id, min(care_site_name) AS care_site_name FROM care_site GROUP BY care_site_id
),
critical AS (
    -- Where a vocabulary has no concept for it, a unit is an inpatient one and its name says more.
    SELECT site.care_site_id
    FROM site
    JOIN intensive ON lower(site.care_site_name) LIKE intensive.name_like
    GROUP BY site.care_site_id
),
timed AS (
    SELECT visit_detail_id, person_id, visit_occurrence_id, parent_visit_detail_id, visit_detail_concept_id,
        care_site_id,
        coalesce(visit_detail_start_datetime, CAST(visit_detail_start_date AS timestamp)) AS started_at,
        -- Without a time of day the fact is sure to be known only when the day is over.
        coalesce(visit_detail_start_datetime, CAST(visit_detail_start_date AS timestamp) + INTERVAL 1 DAY)
            AS available_at,
        -- As for stays: an end on the first day, without a time although the start has one, stands in for one not known.
        CASE WHEN visit_detail_end_datetime IS NOT NULL THEN visit_detail_end_datetime
            WHEN visit_detail_end_date > visit_detail_start_date OR visit_detail_start_datetime IS NULL
            THEN CAST(visit_detail_end_date AS timestamp) + INTERVAL 1 DAY END AS ended_at
    FROM detail
)
-- 3. Result.
SELECT
    timed.visit_detail_id,
    timed.person_id,
    timed.visit_occurrence_id,
    timed.parent_visit_detail_id,
    timed.visit_detail_concept_id,
    CASE WHEN critical.care_site_id IS NOT NULL THEN 'critical care' ELSE coalesce(known.kind, 'other') END AS kind,
    timed.care_site_id,
    site.care_site_name,
    timed.started_at,
    timed.ended_at,
    timed.available_at,
    timed.ended_at AS end_available_at
FROM timed
LEFT JOIN site ON site.care_site_id = timed.care_site_id
LEFT JOIN known ON known.concept_id = timed.visit_detail_concept_id
LEFT JOIN critical ON critical.care_site_id = timed.care_site_id
