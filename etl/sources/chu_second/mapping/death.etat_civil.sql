-- Deaths that the administration knows → death. Grain: one row per patient with a date of death, absorbed records included.
-- The other records are accounted for by person.sql; deaths known by the discharge only: death.sortie.sql.
WITH
-- 1. Sources
patient AS (SELECT ipp, decede_le FROM bronze.patients),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
connu AS (
    SELECT coalesce(encore.ipp_survivant, fusion.ipp_survivant, patient.ipp) AS personne, patient.ipp, patient.decede_le
    FROM patient
    LEFT JOIN fusion ON fusion.ipp_absorbe = patient.ipp
    LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
    WHERE patient.decede_le IS NOT NULL
),
deces AS (
    -- Two records of one patient may both know it: the earlier day is believed.
    SELECT connu.personne, connu.decede_le,
        row_number() OVER (PARTITION BY connu.personne ORDER BY connu.decede_le, connu.ipp) AS rang
    FROM connu
)
-- 3. Result
SELECT
    deces.personne AS person_key,
    deces.decede_le AS death_date
FROM deces
WHERE deces.rang = 1
