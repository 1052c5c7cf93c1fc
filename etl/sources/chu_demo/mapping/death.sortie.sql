-- Deaths known only by the discharge mode 9 → death. Grain: one row per patient, at the end of the last such stay.
-- The other stays are accounted for by visit_occurrence.sql.
WITH
-- 1. Sources
sejour AS (SELECT numero_sejour, ipp, sortie, mode_sortie FROM bronze.sejour),
patient AS (SELECT ipp, date_deces FROM bronze.patient),
-- 2. Steps
deces AS (
    -- Two stays that end in death are a mistake of the record: the last one is believed.
    SELECT sejour.ipp, sejour.sortie,
        row_number() OVER (PARTITION BY sejour.ipp ORDER BY sejour.sortie DESC, sejour.numero_sejour) AS rang
    FROM sejour
    WHERE sejour.mode_sortie = '9' AND sejour.sortie IS NOT NULL
)
-- 3. Result
SELECT
    deces.ipp AS person_key,
    deces.sortie AS death_datetime
FROM deces
LEFT JOIN patient ON patient.ipp = deces.ipp
WHERE deces.rang = 1 AND patient.ipp IS NOT NULL AND patient.date_deces IS NULL
