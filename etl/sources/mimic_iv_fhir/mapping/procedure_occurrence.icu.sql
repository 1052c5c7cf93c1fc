-- Procedures of intensive care → procedure_occurrence. Grain: one row per Procedure.
WITH
-- 1. Sources
act AS (
    SELECT id, subject, encounter, status, code, display, body_site, started_at, started_on, ended_at
    FROM bronze.procedure_icu
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
    act.id AS _key, act.subject AS person_key, placed.visit AS visit_key, placed.visit_detail AS visit_detail_key,
    act.started_at AS procedure_datetime, act.started_on AS procedure_date,
    act.ended_at AS procedure_end_datetime,
    act.code AS procedure_code, 'mimiciv_proc_itemid' AS procedure_vocabulary, act.display AS procedure_label,
    act.body_site AS modifier_source_value,
    CASE WHEN act.status IN ('not-done', 'preparation', 'entered-in-error') THEN 'act_not_done' END AS _exclude
FROM act
LEFT JOIN placed ON placed.id = act.encounter
