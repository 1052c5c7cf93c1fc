-- Deaths known only by the discharge mode DCD → death. Grain: one row per patient, at the end of the last such stay.
-- The stays are accounted for by visit_occurrence.sql.
WITH
-- 1. Sources
sejour AS (SELECT nda, ipp, sortie, mode_sortie, supprime FROM bronze.sejours),
patient AS (SELECT ipp, decede_le FROM bronze.patients),
fusion AS (SELECT ipp_absorbe, ipp_survivant FROM bronze.fusions),
-- 2. Steps
connu AS (
    SELECT coalesce(encore.ipp_survivant, fusion.ipp_survivant, patient.ipp) AS personne,
        max(patient.decede_le) AS decede_le
    FROM patient
    LEFT JOIN fusion ON fusion.ipp_absorbe = patient.ipp
    LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
    GROUP BY coalesce(encore.ipp_survivant, fusion.ipp_survivant, patient.ipp)
),
sorti AS (
    SELECT coalesce(encore.ipp_survivant, fusion.ipp_survivant, sejour.ipp) AS personne, sejour.sortie, sejour.nda
    FROM sejour
    LEFT JOIN fusion ON fusion.ipp_absorbe = sejour.ipp
    LEFT JOIN fusion AS encore ON encore.ipp_absorbe = fusion.ipp_survivant
    WHERE sejour.mode_sortie = 'DCD' AND sejour.sortie IS NOT NULL AND sejour.supprime IS NULL
),
deces AS (
    -- Two stays that end in death are a mistake of the record: the last one is believed.
    SELECT sorti.personne, sorti.sortie,
        row_number() OVER (PARTITION BY sorti.personne ORDER BY sorti.sortie DESC, sorti.nda) AS rang
    FROM sorti
)
-- 3. Result
SELECT
    deces.personne AS person_key,
    deces.sortie AS death_datetime
FROM deces
LEFT JOIN connu ON connu.personne = deces.personne
WHERE deces.rang = 1 AND connu.personne IS NOT NULL AND connu.decede_le IS NULL
