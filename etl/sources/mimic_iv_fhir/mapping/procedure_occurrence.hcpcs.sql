-- Billed acts → procedure_occurrence. Grain: one row per type of an Encounter that is an act.
WITH
-- 1. Sources
act AS (SELECT encounter, element, subject, code, display FROM bronze.encounter_act),
stay AS (SELECT id, started_on FROM bronze.encounter)
-- 3. Result
SELECT
    concat_ws('|', CAST(act.encounter AS string), CAST(act.element AS string)) AS _key,
    act.subject AS person_key, act.encounter AS visit_key,
    stay.started_on AS procedure_date,  -- the export has lost the day of the act: that of the stay stands in
    act.code AS procedure_code,
    -- Level I of HCPCS is CPT, five digits; level II begins with a letter.
    CASE WHEN act.code RLIKE '^[0-9]' THEN 'CPT4' ELSE 'HCPCS' END AS procedure_vocabulary,
    act.display AS procedure_label
FROM act
LEFT JOIN stay ON stay.id = act.encounter
