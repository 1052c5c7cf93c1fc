-- Units that received patients → care_site. Grain: one row per establishment, service and unit, from the first stay there.
WITH
-- 1. Sources
sejour AS (SELECT pmsi_id, etablissement, service, unite_fonctionnelle FROM bronze.donnees_pmsi),
-- 2. Steps
unite AS (
    SELECT pmsi_id, nullif(concat_ws(' | ', etablissement, service, unite_fonctionnelle), '') AS unite FROM sejour
),
premier AS (SELECT pmsi_id, unite, min(pmsi_id) OVER (PARTITION BY unite) AS premier_pmsi_id FROM unite)
-- 3. Result. The other stays are accounted for by visit_occurrence.sql.
SELECT unite AS _key, unite AS care_site_name, unite AS care_site_source_value
FROM premier
WHERE unite IS NOT NULL AND pmsi_id = premier_pmsi_id
