-- Moves between wards → visit_detail. Grain: one row per move (mouvement_id).
WITH
-- 1. Sources
mouvement AS (SELECT mouvement_id, numero_sejour, ipp, uf, entree, sortie FROM bronze.mouvement),
uf AS (SELECT uf, type_uf FROM bronze.unite_fonctionnelle)
-- 2. Result
SELECT
    mouvement.mouvement_id AS _key,
    mouvement.ipp AS person_key,
    mouvement.numero_sejour AS visit_key,
    uf.type_uf AS visit_detail_code, 'CHU_TYPE_UF' AS visit_detail_vocabulary,
    mouvement.entree AS visit_detail_start_datetime,
    mouvement.sortie AS visit_detail_end_datetime,
    mouvement.uf AS care_site_key,
    mouvement.uf AS visit_detail_source_value
FROM mouvement
LEFT JOIN uf ON uf.uf = mouvement.uf
