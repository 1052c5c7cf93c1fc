-- Moves between care units → visit_detail. Grain: one row per Encounter.location of a stay. The emergency visit or the
-- intensive care during which a move begins is its parent.
WITH
-- 1. Sources
move AS (
    SELECT encounter, element, subject, ward, started_at, started_on, ended_at, ended_on FROM bronze.encounter_location
),
part AS (SELECT id, part_of, started_at, ended_at FROM bronze.encounter),
place AS (SELECT id, name FROM bronze.ward),
-- 2. Steps
inside AS (
    -- One parent at most, even if an emergency visit and intensive care should touch.
    SELECT move.encounter, move.element, min(part.id) AS parent
    FROM move
    LEFT JOIN part
        ON part.part_of = move.encounter AND move.started_at >= part.started_at AND move.started_at < part.ended_at
    GROUP BY move.encounter, move.element
)
-- 3. Result
SELECT
    concat('move|', CAST(move.encounter AS string), '|', CAST(move.element AS string)) AS _key,
    move.subject AS person_key, move.encounter AS visit_key, move.ward AS care_site_key,
    concat('encounter|', CAST(inside.parent AS string)) AS parent_visit_detail_key,
    move.started_at AS visit_detail_start_datetime, move.started_on AS visit_detail_start_date,
    move.ended_at AS visit_detail_end_datetime, move.ended_on AS visit_detail_end_date,
    place.name AS visit_detail_code, 'mimiciv_cs_place_of_service' AS visit_detail_vocabulary,
    place.name AS visit_detail_code_2, 'mimiciv_vis_admission_location' AS visit_detail_vocabulary_2,
    'IP' AS visit_detail_code_3, 'Visit' AS visit_detail_vocabulary_3
FROM move
LEFT JOIN inside ON inside.encounter = move.encounter AND inside.element = move.element
LEFT JOIN place ON place.id = move.ward
