-- Practitioners → provider. Grain: one row per practitioner (praticien_id).
-- Not here: their names, which only the crosswalk holds, and their national number, which is hashed at the door.
WITH
-- 1. Sources
praticien AS (SELECT praticien_id, specialite, uf FROM bronze.praticien)
-- 2. Result
SELECT
    praticien.praticien_id AS _key,
    praticien.specialite AS specialty_code, 'CHU_SPECIALITE' AS specialty_vocabulary,
    praticien.uf AS care_site_key
FROM praticien
