-- Stays, and emergency visits that led to none → visit_occurrence. Grain: one row per Encounter that is part of no
-- other.
-- Not here: emergency visits of a stay and intensive care (visit_detail.encounter.sql).
WITH
-- 1. Sources
encounter AS (
    SELECT id, subject, part_of, system, class, status, started_at, started_on, ended_at, ended_on, admitted_from,
        discharged_to
    FROM bronze.encounter
),
hospital AS (SELECT id FROM bronze.organization),
-- 2. Steps
emergency AS (
    SELECT part_of AS stay, count(*) AS visits
    FROM encounter
    WHERE part_of IS NOT NULL AND system = 'http://mimic.mit.edu/fhir/mimic/identifier/encounter-ed'
    GROUP BY part_of
),
only_hospital AS (SELECT min(id) AS id FROM hospital),
stay AS (
    SELECT encounter.id, encounter.subject, encounter.class, encounter.status, encounter.started_at,
        encounter.started_on, encounter.ended_at, encounter.ended_on, encounter.admitted_from,
        encounter.discharged_to, encounter.system, only_hospital.id AS hospital,
        lag(encounter.id) OVER (
            PARTITION BY encounter.subject ORDER BY encounter.started_at, encounter.id
        ) AS preceding,
        CASE
            WHEN encounter.system = 'http://mimic.mit.edu/fhir/mimic/identifier/encounter-ed' THEN 'ER'
            -- Observation is a stay without admission; one that became an admission has a place of discharge.
            WHEN encounter.discharged_to IS NULL AND encounter.class IN ('OBSENC', 'AMB') THEN 'OP'
            WHEN emergency.visits > 0 THEN 'ERIP'
            ELSE 'IP'
        END AS kind
    FROM encounter
    LEFT JOIN emergency ON emergency.stay = encounter.id
    CROSS JOIN only_hospital
    WHERE encounter.part_of IS NULL
)
-- 3. Result
SELECT
    id AS _key, subject AS person_key, hospital AS care_site_key, preceding AS preceding_visit_key,
    started_at AS visit_start_datetime, started_on AS visit_start_date,
    ended_at AS visit_end_datetime, ended_on AS visit_end_date,
    kind AS visit_code, 'Visit' AS visit_vocabulary,
    -- A thin vocabulary may lack 'emergency then inpatient': fall back on the general kind.
    CASE WHEN kind = 'ERIP' THEN 'IP' ELSE kind END AS visit_code_2, 'Visit' AS visit_vocabulary_2,
    class AS visit_source_value,
    admitted_from AS admitted_from_code, 'mimiciv_vis_admission_location' AS admitted_from_vocabulary,
    discharged_to AS discharged_to_code, 'mimiciv_vis_discharge_location' AS discharged_to_vocabulary,
    CASE WHEN status IN ('cancelled', 'entered-in-error', 'planned') THEN 'not_a_visit_that_was' END AS _exclude
FROM stay
