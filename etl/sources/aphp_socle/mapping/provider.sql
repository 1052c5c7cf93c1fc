-- Who prescribes, acts and cares → provider. Grain: one row per name, of which only the hash is known.
WITH
-- 1. Sources
acte AS (SELECT acte_id, executant FROM bronze.actes),
prescription AS (SELECT prescription_id, prescripteur FROM bronze.prescription),
soin AS (SELECT soin_id, professionnel FROM bronze.dossier_soins),
-- 2. Steps
soignant AS (
    SELECT executant AS soignant, 'acte' AS geste, acte_id AS numero FROM acte
    UNION ALL
    SELECT prescripteur AS soignant, 'prescription' AS geste, prescription_id AS numero FROM prescription
    UNION ALL
    SELECT professionnel AS soignant, 'soin' AS geste, soin_id AS numero FROM soin
),
-- The first of the gestes, the same at each run: the provenance of a provider leads back to it.
numerote AS (SELECT soignant, row_number() OVER (PARTITION BY soignant ORDER BY geste, numero) AS rang FROM soignant)
-- 3. Result. The other rows are accounted for by the mappings of what they say.
SELECT soignant AS _key
FROM numerote
WHERE soignant IS NOT NULL AND rang = 1
