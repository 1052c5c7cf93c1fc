-- Wards of the hospital (unités fonctionnelles) → care_site. Grain: one row per ward (uf).
WITH
-- 1. Sources
uf AS (SELECT uf, libelle, type_uf, code_postal FROM bronze.unite_fonctionnelle)
-- 2. Result
SELECT
    uf.uf AS _key,
    uf.libelle AS care_site_name,
    uf.type_uf AS place_of_service_code, 'CHU_TYPE_UF' AS place_of_service_vocabulary,
    uf.code_postal AS location_key,
    uf.uf AS care_site_source_value
FROM uf
