-- Medical units (UM) → care_site. Grain: one row per unit (um).
WITH
-- 1. Sources
structure AS (SELECT um, libelle, activite, cp FROM bronze.structure)
-- 2. Result
SELECT
    structure.um AS _key,
    structure.libelle AS care_site_name,
    structure.activite AS place_of_service_code, 'CHU2_ACTIVITE' AS place_of_service_vocabulary,
    structure.cp AS location_key,
    structure.um AS care_site_source_value
FROM structure
