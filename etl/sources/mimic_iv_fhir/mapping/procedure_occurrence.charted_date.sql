-- Dates charted in intensive care (line inserted, dressing changed) → procedure_occurrence.
-- Grain: one row per item and date of an intensive-care stay; nurses chart the same date again at every shift.
WITH
-- 1. Sources
charted AS (
    SELECT id, subject, encounter, status, code, display, charted_at, dated_at, dated_on, dated_as
    FROM bronze.observation_date
),
encounter AS (SELECT id, part_of FROM bronze.encounter),
-- 2. Steps
placed AS (
    SELECT id, coalesce(part_of, id) AS visit,
        CASE WHEN part_of IS NOT NULL THEN concat('encounter|', CAST(id AS string)) END AS visit_detail
    FROM encounter
),
numbered AS (
    SELECT id, subject, encounter, status, code, display, charted_at, dated_at, dated_on, dated_as,
        row_number() OVER (PARTITION BY encounter, code, dated_at ORDER BY charted_at, id) AS time_charted
    FROM charted
)
-- 3. Result
SELECT
    numbered.id AS _key, numbered.subject AS person_key, placed.visit AS visit_key,
    placed.visit_detail AS visit_detail_key,
    numbered.dated_on AS procedure_date,
    -- Most values are days, written as midnight.
    CASE WHEN substring(numbered.dated_as, 12, 5) <> '00:00' THEN numbered.dated_at END AS procedure_datetime,
    numbered.code AS procedure_code, 'mimiciv_proc_datetimeevents' AS procedure_vocabulary,
    numbered.display AS procedure_label,
    CASE WHEN numbered.status = 'entered-in-error' THEN 'entered_in_error' END AS _exclude,
    CASE WHEN numbered.time_charted > 1 THEN 'same_date_charted_again' END AS _merge,
    -- Within a day it is a care round charted in advance; beyond, a plan or a slip of the pen.
    CASE WHEN numbered.time_charted = 1
              AND unix_timestamp(numbered.dated_at) - unix_timestamp(numbered.charted_at) > 86400
         THEN 'dated more than a day after it was charted' END AS _quarantine
FROM numbered
LEFT JOIN placed ON placed.id = numbered.encounter
