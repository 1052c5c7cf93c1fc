-- What emergency nurses noted in words (pain, rhythm, acuity, chief complaint) → observation. Grain: one row per
-- Observation.
WITH
-- 1. Sources
noted AS (
    SELECT id, subject, encounter, status, code, display, measured_at, measured_on, value FROM bronze.observation_ed
),
encounter AS (SELECT id, part_of FROM bronze.encounter),
-- 2. Steps
placed AS (
    SELECT id, coalesce(part_of, id) AS visit,
        CASE WHEN part_of IS NOT NULL THEN concat('encounter|', CAST(id AS string)) END AS visit_detail
    FROM encounter
)
-- 3. Result
SELECT
    noted.id AS _key, noted.subject AS person_key, placed.visit AS visit_key, placed.visit_detail AS visit_detail_key,
    noted.measured_at AS observation_datetime, noted.measured_on AS observation_date,
    noted.code AS observation_code, 'LOINC' AS observation_vocabulary, noted.display AS observation_label,
    try_cast(noted.value AS double) AS value_as_number, noted.value AS value_as_string,
    noted.value AS value_source_value,
    CASE WHEN noted.status IN ('entered-in-error', 'cancelled') THEN 'entered_in_error'
         WHEN noted.value IS NULL THEN 'no_value_recorded' END AS _exclude
FROM noted
LEFT JOIN placed ON placed.id = noted.encounter
