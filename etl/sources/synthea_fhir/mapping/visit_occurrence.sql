-- Encounters → visit_occurrence. Grain: one row per Encounter. What was done there is in other tables.
WITH
-- 1. Sources
encounter AS (
    SELECT id, subject, practitioner, organization, status, class, code, started_at, ended_at, discharged_to
    FROM bronze.encounter
),
-- 2. Steps
ordered AS (
    SELECT id, subject, practitioner, organization, status, class, code, started_at, ended_at, discharged_to,
        lag(id) OVER (PARTITION BY subject ORDER BY started_at, id) AS preceding
    FROM encounter
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, practitioner AS provider_key, organization AS care_site_key,
    preceding AS preceding_visit_key,
    started_at AS visit_start_datetime, ended_at AS visit_end_datetime,
    CASE class WHEN 'AMB' THEN 'OP' WHEN 'EMER' THEN 'ER' WHEN 'IMP' THEN 'IP' ELSE class END AS visit_code,
    'Visit' AS visit_vocabulary, class AS visit_source_value,
    discharged_to AS discharged_to_code, 'US_DISCHARGE' AS discharged_to_vocabulary,
    -- The paper is signed after the death: nobody visits.
    CASE WHEN code = '308646001' THEN 'death_certificate_is_no_visit'
         WHEN status IN ('cancelled', 'entered-in-error', 'planned') THEN 'not_a_visit_that_was' END AS _exclude
FROM ordered
