-- Deaths known only by the exit mode 9 → death (type: encounter record). Grain: one row per patient, at the end of the last such
-- stay. The other stays are accounted for by visit_occurrence.sql.
WITH
-- 1. Sources
sejour AS (SELECT pmsi_id, patient_id, date_fin_sejour, mode_sortie FROM bronze.donnees_pmsi),
patient AS (SELECT patient_id, date_deces FROM bronze.patient),
-- 2. Steps
deces AS (
    SELECT patient_id, date_fin_sejour,
        row_number() OVER (PARTITION BY patient_id ORDER BY date_fin_sejour DESC, pmsi_id) AS rang
    FROM sejour
    WHERE mode_sortie RLIKE '^ *9' AND date_fin_sejour IS NOT NULL
)
-- 3. Result
SELECT deces.patient_id AS person_key, deces.date_fin_sejour AS death_date
FROM deces
LEFT JOIN patient ON patient.patient_id = deces.patient_id
WHERE deces.rang = 1 AND patient.patient_id IS NOT NULL AND patient.date_deces IS NULL
