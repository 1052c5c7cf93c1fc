-- Deaths that the administration knows → death. Grain: one row per patient with a date of death, absorbed records included.
-- The rows are accounted for by person.sql; deaths known by the discharge only: death.sortie.sql.
WITH
-- 1. Sources
patient AS (SELECT ipp, decede_le FROM bronze.patients),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
deces AS (
    SELECT coalesce(encore.ipp_survivant, fusion.ipp_survivant, patient.ipp) AS personne, patient.decede_le
    FROM patient
    LEFT JOIN fusion ON fusion.ipp_absorbe = patient.ipp
    LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
    WHERE patient.decede_le IS NOT NULL
)
-- 3. Result. Two records of one patient may both know it: the earlier day is believed.
SELECT
    deces.personne AS _key,
    deces.personne AS person_key,
    min(deces.decede_le) AS death_date
FROM deces
GROUP BY deces.personne
