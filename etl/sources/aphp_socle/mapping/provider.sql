-- Who prescribes, acts and cares → provider. Grain: one row per name, of which only the hash is known.
WITH
-- 1. Sources
acte AS (SELECT executant FROM bronze.actes),
prescription AS (SELECT prescripteur FROM bronze.prescription),
soin AS (SELECT professionnel FROM bronze.dossier_soins),
-- 2. Steps
soignant AS (
    SELECT executant AS soignant FROM acte
    UNION ALL
    SELECT prescripteur AS soignant FROM prescription
    UNION ALL
    SELECT professionnel AS soignant FROM soin
),
numerote AS (SELECT soignant, row_number() OVER (PARTITION BY soignant ORDER BY soignant) AS rang FROM soignant)
-- 3. Result. The other rows are accounted for by the mappings of what they say.
SELECT soignant AS _key
FROM numerote
WHERE soignant IS NOT NULL AND rang = 1
