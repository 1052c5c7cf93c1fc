-- Triage and rounds of vital signs in the emergency department → procedure_occurrence. Grain: one row per Procedure.
WITH
-- 1. Sources
act AS (
    SELECT id, subject, encounter, status, system, code, display, performed_at, performed_on FROM bronze.procedure_ed
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
    act.performed_at AS procedure_datetime, act.performed_on AS procedure_date,
    act.code AS procedure_code,
    CASE WHEN act.system = 'http://snomed.info/sct' THEN 'SNOMED' ELSE act.system END AS procedure_vocabulary,
    act.display AS procedure_label,
    CASE WHEN act.status IN ('not-done', 'preparation', 'entered-in-error') THEN 'act_not_done' END AS _exclude
FROM act
LEFT JOIN placed ON placed.id = act.encounter
