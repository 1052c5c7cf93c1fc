-- Care units → care_site. Grain: one row per unit, taken from the first transfer that names it.
WITH
-- 1. Sources
transfer AS (SELECT transfer_id, careunit FROM bronze.transfers),
-- 2. Steps
named AS (
    SELECT transfer_id, careunit, min(transfer_id) OVER (PARTITION BY careunit) AS first_transfer_id
    FROM transfer
)
-- 3. Result. The other transfers are accounted for by visit_detail.sql.
SELECT
    careunit AS _key, 'hospital' AS location_key,
    careunit AS care_site_name,
    careunit AS place_of_service_code, 'mimiciv_cs_place_of_service' AS place_of_service_vocabulary,
    careunit AS care_site_source_value
FROM named
WHERE careunit IS NOT NULL AND transfer_id = first_transfer_id
