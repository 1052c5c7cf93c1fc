-- Emergency visits of a stay and intensive care → visit_detail. Grain: one row per Encounter that is part of another.
WITH
-- 1. Sources
encounter AS (
    SELECT id, subject, part_of, system, status, started_at, started_on, ended_at, ended_on, ward, admitted_from,
        discharged_to
    FROM bronze.encounter
),
place AS (SELECT id, name FROM bronze.ward),
-- 2. Steps
named AS (
    SELECT encounter.id, encounter.subject, encounter.part_of, encounter.status, encounter.started_at,
        encounter.started_on, encounter.ended_at, encounter.ended_on, encounter.ward, encounter.admitted_from,
        encounter.discharged_to, place.name AS unit,
        encounter.system = 'http://mimic.mit.edu/fhir/mimic/identifier/encounter-ed' AS is_emergency
    FROM encounter
    LEFT JOIN place ON place.id = encounter.ward
    WHERE encounter.part_of IS NOT NULL
)
-- 3. Result. The others are accounted for by visit_occurrence.sql.
SELECT
    concat('encounter|', CAST(id AS string)) AS _key,
    subject AS person_key, part_of AS visit_key, ward AS care_site_key,
    started_at AS visit_detail_start_datetime, started_on AS visit_detail_start_date,
    ended_at AS visit_detail_end_datetime, ended_on AS visit_detail_end_date,
    CASE WHEN is_emergency THEN 'ER' ELSE unit END AS visit_detail_code,
    CASE WHEN is_emergency THEN 'Visit' ELSE 'mimiciv_cs_place_of_service' END AS visit_detail_vocabulary,
    unit AS visit_detail_code_2, 'mimiciv_vis_admission_location' AS visit_detail_vocabulary_2,
    'IP' AS visit_detail_code_3, 'Visit' AS visit_detail_vocabulary_3,
    admitted_from AS admitted_from_code, 'mimiciv_vis_admission_location' AS admitted_from_vocabulary,
    discharged_to AS discharged_to_code, 'mimiciv_vis_discharge_location' AS discharged_to_vocabulary,
    CASE WHEN status IN ('cancelled', 'entered-in-error', 'planned') THEN 'not_a_visit_that_was' END AS _exclude
FROM named
